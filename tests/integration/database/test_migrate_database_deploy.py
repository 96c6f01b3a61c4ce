"""migrate_database as the custom resource that CloudFormation invokes: it gets an answer, and a true one."""

import importlib.util
import json
import logging
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from leads import custom_resource
from leads.errors import DatabaseFault, InvalidSettings, MigrationFailed, MissingSettings, NotAnswered
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import ROOT, Service

LONGEST_ANSWER = 4096
"""Bytes (CloudFormation user guide, "Custom resource response objects")."""


class AnswerBucket(ThreadingHTTPServer):
    """Where CloudFormation has its answers put: it takes them, after as many errors as it is told to make."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.statuses: list[int] = []
        self.answers: list[dict[str, Any]] = []
        self.content_types: set[str | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/answer?X-Amz-Signature=secret"


class _Answers(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:  # noqa: N802 (http.server's name)
        bucket = self.server
        assert isinstance(bucket, AnswerBucket)
        body = self.rfile.read(int(self.headers["content-length"]))
        status = bucket.statuses.pop(0) if bucket.statuses else 200
        if status == 200:
            assert len(body) <= LONGEST_ANSWER
            bucket.answers.append(json.loads(body))
            bucket.content_types.add(self.headers["content-type"])
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def bucket() -> Iterator[AnswerBucket]:
    with AnswerBucket() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def event(bucket: AnswerBucket, kind: str = "Create") -> dict[str, Any]:
    old = {"PhysicalResourceId": "DatabaseMigration"} if kind != "Create" else {}
    return old | {
        "RequestType": kind,
        "ResponseURL": bucket.url,
        "StackId": "arn:aws:cloudformation:eu-west-3:123456789012:stack/leads-io/0a1b",
        "RequestId": "7e6a0e0c-8a3e-4bd0-9f57-0e9a1f3f7d42",
        "ResourceType": "Custom::DatabaseMigration",
        "LogicalResourceId": "DatabaseMigration",
        "ResourceProperties": {"ServiceToken": "arn", "Layer": "arn:2"},
    }


def send(service: Service, event: dict[str, Any], timeout: float | None = None) -> Any:
    context = FakeLambdaContext("migrate_database", timeout=timeout)
    return service.handler("migrate_database")(event, context)


def replace(service: Service, monkeypatch: pytest.MonkeyPatch, raised: Exception) -> None:
    def fail(*_: object, **__: object) -> list[str]:
        raise raised

    monkeypatch.setattr(service.module("migrate_database"), "migrate_database", fail)


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_deployment_is_told_that_the_database_is_migrated(
    service: Service, bucket: AnswerBucket, kind: str
) -> None:
    assert send(service, event(bucket, kind)) == {"applied": []}
    (answer,) = bucket.answers
    asked = event(bucket)
    assert answer == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "DatabaseMigration",
        **{name: asked[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    # What the address is signed for.
    assert bucket.content_types == {""}


def test_a_stack_that_goes_does_not_ask_the_database(
    service: Service, bucket: AnswerBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(service, monkeypatch, AssertionError("asked"))
    send(service, event(bucket, "Delete"))
    assert [answer["Status"] for answer in bucket.answers] == ["SUCCESS"]


def test_what_cloudformation_calls_the_resource_by_itself_is_repeated(
    service: Service, bucket: AnswerBucket
) -> None:
    """After a Create that it gave up waiting for."""
    send(service, event(bucket, "Delete") | {"PhysicalResourceId": "leads-io-DatabaseMigration-1A2B"})
    assert [answer["PhysicalResourceId"] for answer in bucket.answers] == ["leads-io-DatabaseMigration-1A2B"]


@pytest.mark.parametrize(
    ("settings", "error", "reason"),
    [
        ({"DATABASE_HOST": ""}, MissingSettings, "missing from the environment: DATABASE_HOST"),
        (
            {"DATABASE_PORT": "postgres"},
            InvalidSettings,
            "invalid in the environment: DATABASE_PORT must be a number",
        ),
    ],
)
def test_deployment_without_usable_settings_is_answered(
    service: Service,
    bucket: AnswerBucket,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    error: type[Exception],
    reason: str,
) -> None:
    """Creating the resource fails with the reason. Deleting it needs no settings."""
    (function,) = (one for one in service.template.functions if one.code.name == "migrate_database")
    for name, value in {**function.environment, **settings}.items():
        monkeypatch.setenv(name, value)
    path = ROOT / "functions" / "migrate_database" / "app.py"
    spec = importlib.util.spec_from_file_location("migrate_database_without_settings", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(error):
        module.handler(event(bucket), FakeLambdaContext("migrate_database"))
    module.handler(event(bucket, "Delete"), FakeLambdaContext("migrate_database"))
    assert [(answer["Status"], answer["Reason"]) for answer in bucket.answers] == [
        ("FAILED", reason),
        ("SUCCESS", ""),
    ]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (
            MigrationFailed("migration 0007_wrong failed: database error 42703"),
            "migration 0007_wrong failed: database error 42703",
        ),
        (DatabaseFault(None), "the database cannot be reached"),
        # Not ours, so who knows what its text holds.
        (RuntimeError("a phone"), "RuntimeError"),
        (DatabaseFault("42703", "🏠" * 5000), "database error 42703 on " + "🏠" * 776),
    ],
)
def test_a_migration_that_fails_fails_the_deployment(
    service: Service,
    bucket: AnswerBucket,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    reason: str,
) -> None:
    replace(service, monkeypatch, fault)
    with pytest.raises(type(fault)):
        send(service, event(bucket))
    assert [(answer["Status"], answer["Reason"]) for answer in bucket.answers] == [("FAILED", reason)]


def test_time_is_kept_for_the_answer(
    service: Service, bucket: AnswerBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def migrate(*_: object, app_password: str | None, seconds: float) -> list[str]:
        given.append(seconds)
        return []

    monkeypatch.setattr(service.module("migrate_database"), "migrate_database", migrate)
    send(service, event(bucket), timeout=900)
    assert 830 < given[0] <= 840


def test_an_answer_is_sent_again_when_s3_falters(
    service: Service, bucket: AnswerBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        custom_resource, "ANSWER_RETRIES", custom_resource.ANSWER_RETRIES.new(backoff_factor=0)
    )
    bucket.statuses = [503, 500]
    send(service, event(bucket))
    assert [answer["Status"] for answer in bucket.answers] == ["SUCCESS"]


def test_an_answer_that_is_refused_is_an_error_that_does_not_tell_the_address(
    service: Service, bucket: AnswerBucket
) -> None:
    bucket.statuses = [403]
    with pytest.raises(NotAnswered) as refused:
        send(service, event(bucket))
    assert str(refused.value) == "CloudFormation's address answered 403"


def test_an_answer_that_cannot_be_sent_is_an_error_that_does_not_tell_the_address(
    service: Service, bucket: AnswerBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        custom_resource, "ANSWER_RETRIES", custom_resource.ANSWER_RETRIES.new(backoff_factor=0)
    )
    bucket.statuses = [500] * 10
    with pytest.raises(NotAnswered) as refused:
        send(service, event(bucket))
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("closed", [True, False], ids=["no connection", "errors"])
def test_an_address_that_cannot_be_reached_at_first_is_not_logged(
    service: Service,
    bucket: AnswerBucket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    closed: bool,
) -> None:
    monkeypatch.setattr(
        custom_resource, "ANSWER_RETRIES", custom_resource.ANSWER_RETRIES.new(backoff_factor=0)
    )
    bucket.statuses = [500] * 10
    asked = event(bucket)
    if closed:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            port = nobody.getsockname()[1]
        asked["ResponseURL"] = asked["ResponseURL"].replace(str(bucket.server_port), str(port))
    # A function that is looked into logs everything.
    with caplog.at_level(logging.DEBUG), pytest.raises(NotAnswered):
        send(service, asked)
    assert "secret" not in caplog.text


def test_any_other_event_migrates_and_answers_whoever_asked(service: Service) -> None:
    assert send(service, {"RequestType": "Reboot"}) == {"applied": []}
