"""Test the laptop's Lambda environments with functions that misbehave in every way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.aws import lambda_environments
from local.aws.lambda_environments import LambdaEnvironments
from local.aws.runtime_api import Outcome
from local.template.deployment import load_template
from tests.support.tiny_service import write_service
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]

Invoke = Callable[..., Outcome]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("lambda")
    write_service(directory)
    return directory


def _environments(service: Path, logs: Path) -> LambdaEnvironments:
    template = load_template(service / "template.yaml", {"JwtIssuer": "https://issuer"}, stack_name="tiny")
    return LambdaEnvironments(template.functions, logs, {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"})


@pytest.fixture(scope="module")
def environments(service: Path) -> Iterator[LambdaEnvironments]:
    with _environments(service, service / "logs") as running:
        yield running


@pytest.fixture
def invoke(environments: LambdaEnvironments) -> Invoke:
    def call(function: str, **event: Any) -> Outcome:
        return environments.invoke(function, json.dumps(event).encode())

    return call


def _answer(outcome: Outcome) -> Any:
    assert not outcome.failed, outcome.error_message
    return json.loads(outcome.payload)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # An orphan that waits to be collected has ended, too.
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def test_context_matches_template(invoke: Invoke, service: Path) -> None:
    context = _answer(invoke("ProbeFunction"))

    assert context["name"] == "tiny-ProbeFunction"
    assert context["memory"] == "300"
    assert context["arn"] == "arn:aws:lambda:eu-west-3:123456789012:function:tiny-ProbeFunction"
    assert 18_000 < context["remaining"] <= 20_000
    assert context["cwd"] == str(service / "functions" / "probe")
    assert context["layer"] == str(service / "layer" / "tiny_layer.py")


def test_function_sees_only_template_and_lambda_variables(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_SECRET", "of the parent")
    invoke("HastyFunction", do="exit", status=0)  # The next one is started now.

    seen = _answer(invoke("HastyFunction", do="environment"))

    assert "DATABASE_SECRET" not in seen
    assert "HOME" not in seen
    assert seen["BUCKET_NAME"] == "tiny-123456789012"
    assert seen["ISSUER"] == "https://issuer"
    assert seen["AWS_REGION"] == "eu-west-3"
    assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "128"
    assert seen["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:1"
    assert seen["_X_AMZN_TRACE_ID"].startswith("Root=1-")


def test_warm_process_serves_again(invoke: Invoke) -> None:
    first = _answer(invoke("ProbeFunction"))
    second = _answer(invoke("ProbeFunction"))

    assert second["pid"] == first["pid"]
    assert second["calls"] == first["calls"] + 1
    assert second["request"] != first["request"]


def test_busy_process_is_joined_by_another(invoke: Invoke) -> None:
    with ThreadPoolExecutor() as callers:
        sleeping = [callers.submit(invoke, "ProbeFunction", do="sleep", seconds=0.4) for _ in range(2)]
        pids = {_answer(one.result())["pid"] for one in sleeping}

    assert len(pids) == 2


def test_invocations_beyond_concurrency_wait(
    service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_environments, "CONCURRENCY", 2)
    with _environments(service, tmp_path) as running, ThreadPoolExecutor() as callers:
        event = json.dumps({"do": "sleep", "seconds": 0.1}).encode()
        outcomes = list(callers.map(lambda _: running.invoke("ProbeFunction", event), range(6)))

    assert len({_answer(outcome)["pid"] for outcome in outcomes}) == 2


def test_function_over_timeout_is_killed_and_replaced(invoke: Invoke) -> None:
    pid = _answer(invoke("HastyFunction"))["pid"]
    started_at = time.monotonic()

    outcome = invoke("HastyFunction", do="sleep", seconds=60)

    assert outcome.failed
    assert outcome.error_message.endswith("Task timed out after 1.00 seconds")
    assert 0.9 < time.monotonic() - started_at < 3
    assert _gone(pid)
    assert _answer(invoke("HastyFunction"))["pid"] != pid


@pytest.mark.parametrize(
    ("status", "message"),
    [(3, "Runtime exited with error: exit status 3"), (0, "Runtime exited without providing a reason")],
)
def test_exited_process_fails_only_its_invocation(invoke: Invoke, status: int, message: str) -> None:
    pid = _answer(invoke("ProbeFunction"))["pid"]

    outcome = invoke("ProbeFunction", do="exit", status=status)

    assert outcome.failed
    assert message in outcome.error_message
    assert _answer(invoke("ProbeFunction"))["pid"] != pid


def test_exception_is_reported_and_process_survives(invoke: Invoke) -> None:
    pid = _answer(invoke("ProbeFunction"))["pid"]

    outcome = invoke("ProbeFunction", do="raise", message="no such lead")

    assert outcome.failed
    assert json.loads(outcome.payload)["errorType"] == "ValueError"
    assert outcome.error_message == "no such lead"
    assert _answer(invoke("ProbeFunction"))["pid"] == pid


def test_function_without_import_fails_each_time(invoke: Invoke) -> None:
    for _ in range(2):
        outcome = invoke("BrokenFunction")
        assert outcome.failed
        assert "Unable to import module 'app': No module named 'no_such_module'" in outcome.error_message


def test_response_over_6_mb_fails(invoke: Invoke) -> None:
    assert len(invoke("ProbeFunction", do="big", bytes=6_291_000).payload) == 6_291_002

    outcome = invoke("ProbeFunction", do="big", bytes=7_000_000)

    assert outcome.failed
    assert "exceeded maximum allowed payload size" in outcome.error_message
    assert not invoke("ProbeFunction").failed


def test_child_of_exited_function_is_killed(invoke: Invoke) -> None:
    grandchild = _answer(invoke("ProbeFunction", do="spawn"))
    assert not _gone(grandchild)

    invoke("ProbeFunction", do="exit", status=1)

    wait_until(lambda: _gone(grandchild))


def test_function_output_is_in_its_log(invoke: Invoke, service: Path) -> None:
    _answer(invoke("ProbeFunction", do="print", text="hello from the probe"))

    log = (service / "logs" / "probe.log").read_text()
    assert "hello from the probe\n" in log
    assert "REPORT RequestId: " in log


def test_warm_invocation_takes_milliseconds(invoke: Invoke) -> None:
    invoke("ProbeFunction")
    durations = []
    for _ in range(50):
        started_at = time.perf_counter()
        invoke("ProbeFunction")
        durations.append(time.perf_counter() - started_at)

    assert sorted(durations)[25] < 0.02, "a warm invocation is slow: is TCP_NODELAY set on both sides?"


def test_killed_stack_leaves_no_function_process(service: Path, tmp_path: Path) -> None:
    script = f"""
import json, pathlib, time
from local.aws.lambda_environments import LambdaEnvironments
from local.template.deployment import load_template
path = pathlib.Path({str(service)!r}) / "template.yaml"
template = load_template(path, {{"JwtIssuer": "x"}}, stack_name="tiny")
environments = LambdaEnvironments(template.functions, pathlib.Path({str(tmp_path)!r}), {{}})
grandchild = environments.invoke("ProbeFunction", b'{{"do": "spawn"}}').payload.decode()
child = json.loads(environments.invoke("ProbeFunction", b"{{}}").payload)["pid"]
print(child, grandchild, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)

    wait_until(lambda: all(map(_gone, pids)))


def test_closed_environments_refuse_invocations(service: Path, tmp_path: Path) -> None:
    running = _environments(service, tmp_path)
    with ThreadPoolExecutor() as callers:
        under_way = callers.submit(running.invoke, "ProbeFunction", b'{"do": "sleep", "seconds": 30}')
        time.sleep(0.5)
        started_at = time.monotonic()
        running.close()

        assert under_way.result().failed
    assert running.invoke("ProbeFunction", b"{}").failed
    assert time.monotonic() - started_at < 3
