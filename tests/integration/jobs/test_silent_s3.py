"""Check that the API answers in time and fails the job when S3 accepts a connection and never answers."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from leads.errors import ServiceFault
from leads.s3.bucket import Bucket
from leads.s3.timeouts import BACKGROUND, INTERACTIVE
from leads.settings import BucketSettings
from tests.support.exports import ROUTE as EXPORT
from tests.support.exports import store, store_many
from tests.support.hostile_s3 import BucketThatTakesItsTime
from tests.support.service import Caller, Service

IMPORT = "/api/v1/leads/import"
HISTORY = f"{IMPORT}/history"
BINARY = {"Content-Type": "application/octet-stream"}
CSV = b"name,phone,source\nA,0612345678,web\n"
LAMBDA_SECONDS = 29


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the address of an S3 that never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def silent_bucket(service: Service, silent: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Return a function's bucket at the silent address."""
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL_S3", silent)
        return Bucket.from_settings(BucketSettings(service.bucket, 7), INTERACTIVE)


@pytest.mark.parametrize("name", ["import_leads", "export_leads"])
def test_function_of_the_api_uses_interactive_timeouts(service: Service, name: str) -> None:
    config: Any = service.bucket_of(name).client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (INTERACTIVE.connect, INTERACTIVE.read)
    assert config.retries["total_max_attempts"] == INTERACTIVE.tries
    # The time is for a file that is not stored, its failed job, and a cold start.
    assert INTERACTIVE.seconds == 15 < LAMBDA_SECONDS - 10
    assert BACKGROUND.seconds == 48


@pytest.mark.slow_fault
def test_import_whose_file_is_not_stored_is_answered_in_time(
    service: Service, caller: Caller, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is the one test that waits for the real limits."""
    bucket = silent_bucket(service, silent, monkeypatch)
    monkeypatch.setattr(service.module("import_leads"), "bucket", bucket)
    started = time.monotonic()
    answer = service.request("POST", IMPORT, caller, headers=BINARY, body=CSV)
    assert time.monotonic() - started < INTERACTIVE.seconds + 1
    assert (answer.status, answer.json["status"]) == (500, 500)
    (job,) = service.request("GET", HISTORY, caller).json
    assert job["status"] == "FAILED"
    assert "while storing the file" in job["failureReason"]


def test_import_with_silent_s3_is_answered_in_remaining_time(
    service: Service, caller: Caller, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = service.module("import_leads")
    monkeypatch.setattr(function, "bucket", silent_bucket(service, silent, monkeypatch))
    monkeypatch.setattr(function, "RESERVED_SECONDS", LAMBDA_SECONDS - 1.5)
    started = time.monotonic()
    answer = service.request("POST", IMPORT, caller, headers=BINARY, body=CSV)
    assert time.monotonic() - started < 3
    assert answer.status == 500
    (job,) = service.request("GET", HISTORY, caller).json
    assert job["status"] == "FAILED"


@pytest.mark.slow_fault
def test_wait_for_import_is_reduced_by_the_time_of_its_upload(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = service.module("import_leads")
    slow = BucketThatTakesItsTime(function.bucket, "imports/", 2)
    monkeypatch.setattr(function, "bucket", slow)
    monkeypatch.setattr(function, "RESERVED_SECONDS", LAMBDA_SECONDS - 4.0)
    started = time.monotonic()
    answer = service.request("POST", IMPORT, caller, headers=BINARY | {"Prefer": "wait=20"}, body=CSV)
    assert 3.5 < time.monotonic() - started < 5.5
    assert (answer.status, answer.json["status"]) == (202, "PENDING")


@pytest.mark.parametrize("prefer", ["wait=20", "respond-async"])
def test_export_with_silent_s3_is_answered_in_time(
    service: Service, caller: Caller, silent: str, monkeypatch: pytest.MonkeyPatch, prefer: str
) -> None:
    store(service, caller, name="Ana")
    function = service.module("export_leads")
    monkeypatch.setattr(function, "bucket", silent_bucket(service, silent, monkeypatch))
    monkeypatch.setattr(function, "ANSWER_SECONDS", LAMBDA_SECONDS - 1.5)
    assert_export_fails_within(service, caller, 3, {"Prefer": prefer})


@pytest.mark.slow_fault
def test_large_export_whose_s3_stalls_is_answered_in_time(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parts, their completion and their abort need more time than the function has."""
    store_many(service, caller)
    function = service.module("export_leads")
    slow = BucketThatTakesItsTime(function.bucket, "exports/", 3)
    monkeypatch.setattr(function, "bucket", slow)
    monkeypatch.setattr(function, "RESERVED_SECONDS", LAMBDA_SECONDS - 3)
    monkeypatch.setattr(function, "ANSWER_SECONDS", LAMBDA_SECONDS - 4)
    assert_export_fails_within(service, caller, 6, {})
    # The abandoned upload goes on meanwhile. The bucket's rule deletes its parts, and there is no file.
    time.sleep(3)
    assert service.keys(f"exports/{caller.org}/") == []


def assert_export_fails_within(
    service: Service, caller: Caller, seconds: float, headers: dict[str, str]
) -> None:
    started = time.monotonic()
    answer = service.request("GET", EXPORT, caller, headers=headers)
    assert time.monotonic() - started < seconds
    assert answer.status == 500
    (export,) = service.request("GET", f"{EXPORT}/history", caller).json
    assert (export["status"], export["rowCount"]) == ("FAILED", 0)
    assert service.keys(f"exports/{caller.org}/") == []


def test_bucket_within_a_limit_raises_when_s3_is_slower(service: Service) -> None:
    own = service.bucket_of("import_leads")
    with pytest.raises(ServiceFault, match="did not store"):
        BucketThatTakesItsTime(own, "imports/", 0.5).within(0.1).put("imports/x", b"", "text/csv")
    time.sleep(0.5)
