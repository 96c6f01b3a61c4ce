"""Test the laptop's S3 and the delivery of its events to the functions."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
import urllib3

from local.aws.notifications import Notifications
from local.aws.runtime_api import Outcome, failure
from local.aws.s3 import S3Emulator
from local.template.deployment import Function, Trigger
from tests.support.waiting import wait_until

BUCKET = "leads-test"
DEAD_LETTERS = "dead-letters"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Emulator]:
    with S3Emulator(log=tmp_path_factory.mktemp("s3") / "s3.log") as running:
        running.create_bucket(BUCKET)
        yield running


class _FunctionsThatFail:
    """Record each invocation, and fail the first `failures` of each event."""

    def __init__(self) -> None:
        self.failures = 0
        self.seconds = 0.0
        self.calls: list[tuple[str, float, Any]] = []
        self.side_by_side = 0
        self._running = 0
        self._seen: dict[bytes, int] = {}
        self._lock = threading.Lock()

    def __call__(self, logical_id: str, event: bytes) -> Outcome:
        with self._lock:
            self.calls.append((logical_id, time.time(), json.loads(event)))
            self._seen[event] = self._seen.get(event, 0) + 1
            fails = self._seen[event] <= self.failures
            self._running += 1
            self.side_by_side = max(self.side_by_side, self._running)
        time.sleep(self.seconds)
        with self._lock:
            self._running -= 1
        return failure("ValueError", "no luck") if fails else Outcome(b"null", failed=False)

    def wait_for(self, count: int) -> list[tuple[str, float, Any]]:
        wait_until(lambda: len(self.calls) >= count)
        return self.calls


def _function(name: str, *prefixes: str, retries: int = 2, suffix: str = "") -> Function:
    return Function(
        logical_id=name,
        name=name,
        runtime="python3.13",
        code=Path(),
        handler="app.handler",
        timeout=3,
        memory=128,
        environment={},
        triggers=tuple(Trigger(("s3:ObjectCreated:*",), prefix, suffix) for prefix in prefixes),
        retries=retries,
        dead_letters=DEAD_LETTERS,
    )


@pytest.fixture
def functions() -> _FunctionsThatFail:
    return _FunctionsThatFail()


@pytest.fixture
def connect(
    s3: S3Emulator, functions: _FunctionsThatFail, request: pytest.FixtureRequest
) -> Iterator[Callable[..., str]]:
    loops: list[Notifications] = []

    def start(*connected: Function) -> str:
        triggers = [trigger for function in connected for trigger in function.triggers]
        queue = s3.notify(BUCKET, triggers, f"queue-{abs(hash(request.node.name))}")
        loop = Notifications(s3, queue, connected, functions, retry_seconds=(0.1, 0.2))
        loop.start()
        loops.append(loop)
        return queue

    yield start
    for loop in loops:
        loop.stop()


def _key(event: Any) -> str:
    return unquote_plus(event["Records"][0]["s3"]["object"]["key"])


def test_stored_object_invokes_function_of_its_prefix(
    s3: S3Emulator, functions: _FunctionsThatFail, connect: Callable[..., str]
) -> None:
    connect(_function("Import", "imports/", "drop/"), _function("Export", "requests/", suffix=".json"))
    for key in ("elsewhere/x", "requests/1.csv", "imports/été 1+1.csv", "drop/b.csv", "requests/2.json"):
        s3.client.put_object(Bucket=BUCKET, Key=key, Body=b"name")

    functions.wait_for(3)
    time.sleep(0.1)

    assert {(name, _key(event)) for name, _, event in functions.calls} == {
        ("Import", "imports/été 1+1.csv"),
        ("Import", "drop/b.csv"),
        ("Export", "requests/2.json"),
    }


def test_event_names_version_of_its_object(
    s3: S3Emulator, functions: _FunctionsThatFail, connect: Callable[..., str]
) -> None:
    connect(_function("Import", "imports/"))
    stored = [s3.client.put_object(Bucket=BUCKET, Key="imports/same.csv", Body=b"same") for _ in range(3)]

    functions.wait_for(3)

    versions = [event["Records"][0]["s3"]["object"]["versionId"] for _, _, event in functions.calls]
    assert sorted(versions) == sorted(one["VersionId"] for one in stored)


def test_events_arrive_quickly_and_side_by_side(
    s3: S3Emulator, functions: _FunctionsThatFail, connect: Callable[..., str]
) -> None:
    connect(_function("Import", "imports/"))
    functions.seconds = 0.5
    for number in range(3):
        s3.client.put_object(Bucket=BUCKET, Key=f"imports/{number}.csv", Body=b"")
    stored = time.time()

    calls = functions.wait_for(3)

    assert calls[-1][1] - stored < 0.3, "from put to invocation"
    assert functions.side_by_side == 3


def test_event_failing_twice_is_delivered_three_times(
    s3: S3Emulator, functions: _FunctionsThatFail, connect: Callable[..., str]
) -> None:
    connect(_function("Import", "imports/"))
    functions.failures = 2
    s3.client.put_object(Bucket=BUCKET, Key="imports/a.csv", Body=b"")

    functions.wait_for(3)
    time.sleep(0.4)

    assert len(functions.calls) == 3
    moments = [moment for _, moment, _ in functions.calls]
    assert moments[1] - moments[0] >= 0.1
    assert moments[2] - moments[1] >= 0.2
    assert "Messages" not in s3.queues.receive_message(QueueUrl=s3.create_queue(DEAD_LETTERS))


@pytest.mark.parametrize("retries", [2, 0])
def test_event_failing_every_time_becomes_dead_letter(
    s3: S3Emulator, functions: _FunctionsThatFail, connect: Callable[..., str], retries: int
) -> None:
    connect(_function("Import", "imports/", retries=retries))
    functions.failures = 100
    s3.client.put_object(Bucket=BUCKET, Key="imports/poison.csv", Body=b"")

    answer = s3.queues.receive_message(
        QueueUrl=s3.create_queue(DEAD_LETTERS), WaitTimeSeconds=5, MessageAttributeNames=["All"]
    )

    (letter,) = answer["Messages"]
    s3.queues.delete_message(QueueUrl=s3.create_queue(DEAD_LETTERS), ReceiptHandle=letter["ReceiptHandle"])
    assert len(functions.calls) == retries + 1
    assert _key(json.loads(letter["Body"])) == "imports/poison.csv"
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no luck"


def test_test_event_reaches_function(
    s3: S3Emulator, functions: _FunctionsThatFail, connect: Callable[..., str]
) -> None:
    queue = connect(_function("Import", "imports/"))
    s3.queues.send_message(QueueUrl=queue, MessageBody='{"Event": "s3:TestEvent"}')

    assert functions.wait_for(1)[0][2] == {"Event": "s3:TestEvent"}
    assert len(functions.calls) == 1, "the one that moto sends itself is not delivered"


def test_presigned_links_work_without_credentials(s3: S3Emulator) -> None:
    form = s3.client.generate_presigned_post(BUCKET, "imports/posted.csv")
    posted = urllib3.request(
        "POST", form["url"], fields={**form["fields"], "file": ("a.csv", b"name", "text/csv")}
    )
    parameters = {
        "Bucket": BUCKET,
        "Key": "imports/posted.csv",
        "ResponseContentDisposition": 'attachment; filename="b.csv"',
    }
    got = urllib3.request("GET", s3.client.generate_presigned_url("get_object", Params=parameters))

    assert posted.status == 204
    assert got.data == b"name"
    assert got.headers["content-disposition"] == 'attachment; filename="b.csv"'


def test_small_put_takes_milliseconds(s3: S3Emulator) -> None:
    durations = []
    for _ in range(10):
        started_at = time.perf_counter()
        s3.client.put_object(Bucket=BUCKET, Key="elsewhere/speed", Body=b"x")
        durations.append(time.perf_counter() - started_at)

    assert sorted(durations)[5] < 0.035, "40 ms for an acknowledgement: TCP_NODELAY is missing"
