"""Test which parts of a SAM template the laptop reads, and which it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.template.deployment import Route, Trigger, load_template
from local.template.document import TemplateError, parameter_default
from tests.support.tiny_service import write_service

PROJECT = Path(__file__).resolve().parents[2]


def test_own_template_is_understood() -> None:
    parameters = dict.fromkeys(
        ("JwtIssuer", "JwtAudience", "DatabaseHost", "DatabasePassword", "DatabaseOwnerPassword"), "value"
    )

    template = load_template(PROJECT / "template.yaml", parameters, stack_name="laptop")

    functions = {function.code.name: function for function in template.functions}
    assert template.bucket == "laptop-123456789012-eu-west-3"
    assert functions["import_leads"].timeout == 29
    assert functions["import_leads"].environment["BUCKET_NAME"] == template.bucket
    assert Route("POST", "/api/v1/leads/import") in functions["import_leads"].routes
    assert {trigger.prefix for trigger in functions["process_import"].triggers} >= {"imports/", "drop/"}
    assert functions["process_import"].dead_letters in template.queues
    assert functions["expire_jobs"].schedules == (60.0,)
    assert functions["process_import"].layers == (PROJECT / "layers" / "shared",)


def test_function_has_own_and_global_settings(tmp_path: Path) -> None:
    template = load_template(write_service(tmp_path), {"JwtIssuer": "me"}, stack_name="tiny")

    hasty = template.function("HastyFunction")
    probe = template.function("ProbeFunction")

    assert hasty is not None
    assert probe is not None
    assert (hasty.timeout, hasty.memory) == (1, 128)
    assert (probe.timeout, probe.memory) == (20, 300)
    assert probe.environment["DATABASE_PORT"] == "1"
    assert Route("GET", "/open", authorized=False) in probe.routes
    assert template.function("NoSuchFunction") is None


def test_parameter_without_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="no value for JwtIssuer"):
        load_template(write_service(tmp_path), {}, stack_name="tiny")


def _with_variable(directory: Path, value: str) -> Path:
    path = directory / "template.yaml"
    path.write_text(
        "Conditions:\n"
        "  Here: !Equals [!Ref 'AWS::Region', eu-west-3]\n"
        "  Elsewhere: !Not [!Condition Here]\n"
        "  Both: !And [!Condition Here, !Condition Elsewhere]\n"
        "  Either: !Or [!Condition Here, !Condition Elsewhere]\n"
        "Resources:\n"
        "  Queue: {Type: AWS::SQS::Queue}\n"
        "  One:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties:\n"
        "      CodeUri: one/\n      Handler: app.handler\n      Runtime: python3.13\n"
        f"      Environment: {{Variables: {{VALUE: {value}}}}}\n"
    )
    return path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("5", "5"),
        ("true", "true"),
        ("!GetAtt Queue.Arn", "arn:aws:sqs:eu-west-3:123456789012:tiny-Queue"),
        (
            "!Sub '${AWS::Region}-${Queue.Arn}-${!Kept}'",
            "eu-west-3-arn:aws:sqs:eu-west-3:123456789012:tiny-Queue-${Kept}",
        ),
        ("!Sub ['${A}b', {A: !Ref 'AWS::StackName'}]", "tinyb"),
        ("{Ref: One}", "tiny-One"),
        ("!If [Here, yes-here, !Ref Nobody]", "yes-here"),
        ("!If [Elsewhere, !Ref Nobody, b]", "b"),
        ("!If [Both, a, b]", "b"),
        ("!If [Either, a, b]", "a"),
    ],
)
def test_references_are_resolved(tmp_path: Path, value: str, expected: str) -> None:
    (function,) = load_template(_with_variable(tmp_path, value), {}, stack_name="tiny").functions

    assert function.environment == {"VALUE": expected}


@pytest.mark.parametrize(
    "value",
    [
        "!If [Unknown, b, c]",
        "!If [{Fn::Contains: [a, b]}, b, c]",
        "!GetAtt Queue.Nothing",
        "!Ref Nobody",
        "!Sub '${Nobody.Arn}'",
    ],
)
def test_unknown_references_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(TemplateError):
        load_template(_with_variable(tmp_path, value), {}, stack_name="tiny")


def test_resource_with_false_condition_is_absent(tmp_path: Path) -> None:
    path = _with_variable(tmp_path, "plain")
    path.write_text(
        path.read_text().replace("{Type: AWS::SQS::Queue}", "{Type: AWS::SQS::Queue, Condition: Elsewhere}")
    )

    assert load_template(path, {}, stack_name="tiny").queues == ()


def _with_events(directory: Path, event: str, retries: int = 0) -> Path:
    path = _with_variable(directory, "plain")
    path.write_text(
        f"{path.read_text()}      EventInvokeConfig: {{MaximumRetryAttempts: {retries}}}\n"
        f"      Events: {{Event: {{{event}}}}}\n"
    )
    return path


@pytest.mark.parametrize(
    ("rate", "seconds"), [("1 minute", 60), ("15 minutes", 900), ("1 hour", 3600), ("2 days", 172_800)]
)
def test_schedule_rate_becomes_seconds(tmp_path: Path, rate: str, seconds: float) -> None:
    event = f"Type: Schedule, Properties: {{Schedule: rate({rate}), Description: Often}}"

    (function,) = load_template(_with_events(tmp_path, event), {}, stack_name="tiny").functions

    assert function.schedules == (seconds,)


@pytest.mark.parametrize(
    ("event", "retries", "message"),
    [
        *(
            (f"Type: Schedule, Properties: {{Schedule: '{expression}'}}", 0, "rate")
            for expression in (
                "cron(0 8 * * ? *)",
                "rate(1 minutes)",
                "rate(2 minute)",
                "rate(0 minutes)",
                "rate(1 second)",
            )
        ),
        ("Type: Schedule, Properties: {Schedule: rate(1 minute), Enabled: false}", 0, "Enabled"),
        ("Type: Schedule, Properties: {Schedule: rate(1 minute)}", 2, "retr"),
        ("Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute)}", 0, "ScheduleV2"),
    ],
)
def test_unsupported_events_are_refused(tmp_path: Path, event: str, retries: int, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        load_template(_with_events(tmp_path, event, retries), {}, stack_name="tiny")


def test_trigger_matches_as_s3_does() -> None:
    trigger = Trigger(("s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"), prefix="in/", suffix=".csv")

    assert trigger.matches("ObjectCreated:CompleteMultipartUpload", "in/a.csv")
    assert trigger.matches("ObjectRemoved:Delete", "in/a.csv")
    assert not trigger.matches("ObjectRemoved:DeleteMarkerCreated", "in/a.csv")
    assert not trigger.matches("ObjectCreated:Put", "in/a.txt")
    assert not trigger.matches("ObjectCreated:Put", "out/a.csv")


def test_parameter_default_is_found(tmp_path: Path) -> None:
    template = write_service(tmp_path)

    assert parameter_default(template, "RoleClaim") == "custom:role"
    with pytest.raises(TemplateError, match="JwtIssuer has no default"):
        parameter_default(template, "JwtIssuer")
