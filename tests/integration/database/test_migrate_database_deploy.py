"""migrate_database as a custom resource: CloudFormation always gets an answer, and a true one."""

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
from leads.errors import (
    DatabaseFault,
    InvalidSettings,
    MigrationFailed,
    MissingSettings,
    NotAnswered,
    SettingsError,
)
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import ROOT, Service

MAX_ANSWER_BYTES = 4096
"""Source: CloudFormation user guide, "Custom resource response objects"."""


class AnswerBucket(ThreadingHTTPServer):
    """The place for CloudFormation's answers. It stores them, after the errors in `statuses`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.statuses: list[int] = []
        self.answers: list[dict[str, Any]] = []
        self.content_types: set[str | None] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/answer?X-Amz-Signature=secret"


class _Answers(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        bucket = self.server
        assert isinstance(bucket, AnswerBucket)
        body = self.rfile.read(int(self.headers["content-length"]))
        status = bucket.statuses.pop(0) if bucket.statuses else 200
        if status == 200:
            assert len(body) <= MAX_ANSWER_BYTES
            bucket.answers.append(json.loads(body))
            bucket.content_types.add(self.headers["content-type"])
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


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
def test_deployment_that_succeeds_is_answered(service: Service, bucket: AnswerBucket, kind: str) -> None:
    assert send(service, event(bucket, kind)) == {"applied": []}
    (answer,) = bucket.answers
    asked = event(bucket)
    assert answer == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "DatabaseMigration",
        **{name: asked[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    # The address is signed for an empty content type.
    assert bucket.content_types == {""}


def test_deletion_of_the_stack_does_not_connect(
    service: Service, bucket: AnswerBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(service, monkeypatch, AssertionError("connected"))
    send(service, event(bucket, "Delete"))
    assert [answer["Status"] for answer in bucket.answers] == ["SUCCESS"]


def test_physical_id_of_cloudformation_is_repeated(service: Service, bucket: AnswerBucket) -> None:
    """CloudFormation chooses an id itself if a Create was not answered in time."""
    send(service, event(bucket, "Delete") | {"PhysicalResourceId": "leads-io-DatabaseMigration-1A2B"})
    assert [answer["PhysicalResourceId"] for answer in bucket.answers] == ["leads-io-DatabaseMigration-1A2B"]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"DATABASE_HOST": ""}, MissingSettings(["DATABASE_HOST"])),
        ({"DATABASE_PORT": "postgres"}, InvalidSettings("DATABASE_PORT must be a number")),
    ],
    ids=["missing", "invalid"],
)
def test_deployment_without_usable_settings_is_answered(
    service: Service,
    bucket: AnswerBucket,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    error: SettingsError,
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
    with pytest.raises(type(error)):
        module.handler(event(bucket), FakeLambdaContext("migrate_database"))
    module.handler(event(bucket, "Delete"), FakeLambdaContext("migrate_database"))
    assert [(answer["Status"], answer["Reason"]) for answer in bucket.answers] == [
        ("FAILED", str(error)),
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
        # The text of another library's error may hold anything.
        (RuntimeError("a phone"), "RuntimeError"),
        (DatabaseFault("42703", "🏠" * 5000), "database error 42703 on " + "🏠" * 776),
    ],
)
def test_deployment_with_a_failed_migration_fails(
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


def test_migration_reserves_time_for_the_answer(
    service: Service, bucket: AnswerBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []

    def migrate(*_: object, app_password: str | None, seconds: float) -> list[str]:
        limits.append(seconds)
        return []

    monkeypatch.setattr(service.module("migrate_database"), "migrate_database", migrate)
    send(service, event(bucket), timeout=900)
    assert 830 < limits[0] <= 840


def test_answer_is_sent_again_after_errors(
    service: Service, bucket: AnswerBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        custom_resource, "ANSWER_RETRIES", custom_resource.ANSWER_RETRIES.new(backoff_factor=0)
    )
    bucket.statuses = [503, 500]
    send(service, event(bucket))
    assert [answer["Status"] for answer in bucket.answers] == ["SUCCESS"]


def test_refused_answer_raises_without_the_address(service: Service, bucket: AnswerBucket) -> None:
    bucket.statuses = [403]
    with pytest.raises(NotAnswered) as refused:
        send(service, event(bucket))
    assert str(refused.value) == "CloudFormation's address answered 403"


def test_unsent_answer_raises_without_the_address(
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
def test_retried_answer_does_not_log_the_address(
    service: Service,
    bucket: AnswerBucket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    closed: bool,
) -> None:
    """Not even at the level DEBUG, which an operator may set."""
    monkeypatch.setattr(
        custom_resource, "ANSWER_RETRIES", custom_resource.ANSWER_RETRIES.new(backoff_factor=0)
    )
    bucket.statuses = [500] * 10
    asked = event(bucket)
    if closed:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        asked["ResponseURL"] = asked["ResponseURL"].replace(str(bucket.server_port), str(port))
    with caplog.at_level(logging.DEBUG), pytest.raises(NotAnswered):
        send(service, asked)
    assert "secret" not in caplog.text


def test_event_of_another_sender_migrates(service: Service) -> None:
    """Its result is returned to the caller of the function."""
    assert send(service, {"RequestType": "Reboot"}) == {"applied": []}
