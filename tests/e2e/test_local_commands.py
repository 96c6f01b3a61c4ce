"""Test `make run` and `make token` as a person uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jwt
import pytest
import urllib3

from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]

RUN = [sys.executable, "-m", "local.commands.run"]
TOKEN = ["make", "-s", "token"]


def _variables(state: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "LEADS_STATE_DIR": str(state), "PORT": "0", **more}


@contextmanager
def _running(command: list[str], state: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process group of its own, as in a terminal. Kill it at the end."""
    with (state.parent / f"{state.name}.output").open("w+") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=_variables(state),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _output(state: Path) -> str:
    return (state.parent / f"{state.name}.output").read_text()


def _token(state: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TOKEN, *arguments],
        cwd=PROJECT,
        env=_variables(state, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _answers(api: str) -> bool:
    try:
        urllib3.request("GET", api, retries=False, timeout=1)
    except urllib3.exceptions.HTTPError:
        return False
    return True


def test_make_run_serves_until_sigterm(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with _running(["make", "-s", "run"], state) as make:
        wait_until(lambda: "Ready: " in _output(state) or make.poll() is not None)
        described = json.loads((state / "stack.json").read_text())
        assert f"Ready: {described['api']}\n" in _output(state)
        assert "make -s token ORG=acme ROLE=ADMIN USER=ana@acme.example" in _output(state)

        token = _token(state, "ORG=acme", "ROLE=ADMIN", "USER=ana@acme.example")
        assert token.stderr == ""
        headers = {"Authorization": f"Bearer {token.stdout.strip()}"}
        history = urllib3.request("GET", f"{described['api']}/api/v1/leads/import/history", headers=headers)
        assert (history.status, history.json()) == (200, [])

        second = subprocess.run(
            RUN, cwd=PROJECT, env=_variables(state), capture_output=True, text=True, check=False, timeout=30
        )
        assert second.returncode == 1
        assert f"a local stack already runs on {state} (process {described['pid']})" in second.stderr
        assert "Traceback" not in second.stderr
        assert _answers(described["api"]), "the refused second stack stopped the first"

        make.send_signal(signal.SIGTERM)
        wait_until(lambda: make.poll() is not None)

    wait_until(lambda: not (state / "stack.json").exists())
    assert not (state / "env-vars.json").exists()
    assert not _answers(described["api"])
    assert "Traceback" not in _output(state)
    assert "HTTP/1.1" not in _output(state), "the HTTP server writes a log of its own"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_stops_quickly_with_exit_code_0(tmp_path: Path, number: signal.Signals) -> None:
    state = tmp_path / "state"
    with _running(RUN, state) as process:
        wait_until(lambda: "Ready: " in _output(state) or process.poll() is not None)
        started_at = time.monotonic()
        os.killpg(process.pid, number)

        assert process.wait(20) == 0, _output(state)
        assert time.monotonic() - started_at < 5

    assert "Traceback" not in _output(state)
    assert not (state / "stack.json").exists()


def test_run_stopped_while_starting_cleans_up(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with _running(RUN, state) as process:
        wait_until(lambda: (state / "postgres" / "data.new").exists())
        process.send_signal(signal.SIGTERM)

        assert process.wait(20) == 0, _output(state)

    assert "Traceback" not in _output(state)
    assert not (state / "stack.json").exists()


@pytest.mark.parametrize("port", ["many", "65536", "-1"])
def test_run_refuses_invalid_port(tmp_path: Path, port: str) -> None:
    done = subprocess.run(
        RUN,
        cwd=PROJECT,
        env=_variables(tmp_path, PORT=port),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 2
    assert f"PORT is {port!r}" in done.stderr


def test_token_requires_stack_and_organisation(tmp_path: Path) -> None:
    without_stack = _token(tmp_path, "ORG=acme")
    without_organisation = _token(tmp_path)

    assert without_stack.returncode == without_organisation.returncode == 2
    assert without_stack.stdout == without_organisation.stdout == ""
    assert f"{tmp_path} has no key yet: start the stack first (make run)" in without_stack.stderr
    assert "ORG is missing" in without_organisation.stderr


def test_token_user_comes_from_command_line_only(tmp_path: Path) -> None:
    from local.aws.authorizer import TokenIssuer

    TokenIssuer.create(tmp_path)

    def claims(*arguments: str) -> dict[str, str]:
        token = _token(tmp_path, *arguments, USER="root").stdout.strip()
        decoded: dict[str, str] = jwt.decode(token, options={"verify_signature": False})
        return decoded

    named = claims("ORG=acme", "ROLE=PRO", "USER=ana o'hara@acme.example")
    unnamed = claims("ORG=acme")

    assert (named["custom:org_id"], named["custom:role"]) == ("acme", "PRO")
    assert named["email"] == named["sub"] == "ana o'hara@acme.example"
    assert (unnamed["email"], unnamed["custom:role"]) == ("dev@example.com", "ADMIN")
