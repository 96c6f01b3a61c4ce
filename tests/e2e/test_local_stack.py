"""Test the laptop's stack as a whole with a tiny service: start, addresses, requests, stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pg8000.dbapi
import pytest
import urllib3

from local.aws.gateway import PortInUse
from local.stack import Deployment, Stack, StackFailed
from local.state import DirectoryInUse
from tests.support.tiny_service import FAILING_MIGRATE, MIGRATE, write_service
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_service(tmp_path_factory.mktemp("service"), MIGRATE)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, throw_away=True, deployment=Deployment(template, schedule_seconds=0.5)) as running:
        yield running


def _rows(uri: str, statement: str) -> Any:
    parts = urlsplit(uri)
    with closing(
        pg8000.dbapi.connect(
            user=parts.username or "",
            password=parts.password,
            host=parts.hostname or "",
            port=parts.port or 0,
            database=parts.path[1:],
        )
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        rows = cursor.fetchall()
        connection.commit()
        return rows


def _listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((urlsplit(url).hostname, urlsplit(url).port)) == 0


def _description(stack: Stack) -> Any:
    return json.loads((stack.directory / "stack.json").read_text())


def test_stack_json_has_every_address(stack: Stack) -> None:
    description = _description(stack)

    addresses = {"api", "database", "databaseOwner", "s3", "bucket", "events", "deadLetters"}
    assert set(description) == {*addresses, "pid"}
    assert description["pid"] == os.getpid()
    assert description["bucket"] == "leads-laptop-123456789012"
    assert _rows(description["database"], "SELECT current_user::text")[0][0] == "leads_app"
    assert _rows(description["databaseOwner"], "SELECT current_user::text")[0][0] == "leads_owner"
    assert urllib3.request("GET", description["s3"]).status == 200
    assert (stack.directory / "stack.json").stat().st_mode & 0o077 == 0, "it holds passwords"


def test_request_reaches_function(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.token('acme', 'PRO', 'ana@acme.example')}"}

    response = urllib3.request("GET", stack.api + "/probe?do=event", headers=headers)

    claims = response.json()["requestContext"]["authorizer"]["jwt"]["claims"]
    assert claims["custom:org_id"] == "acme"
    assert claims["custom:role"] == "PRO"
    assert claims["email"] == "ana@acme.example"
    assert "GET /probe 200 " in (stack.logs / "api.log").read_text()


def test_stored_object_reaches_function(stack: Stack) -> None:
    def invocations() -> int:
        return (stack.logs / "probe.log").read_text().count("REPORT ")

    before = invocations()

    stack.s3.client.put_object(Bucket=stack.bucket, Key="imports/a.csv", Body=b"")

    wait_until(lambda: invocations() > before)


def test_scheduled_function_is_invoked_repeatedly(stack: Stack) -> None:
    log = stack.logs / "tick.log"

    def ticks() -> list[Any]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [json.loads(line.removeprefix("tick ")) for line in lines if line.startswith("tick ")]

    wait_until(lambda: len(ticks()) >= 2)
    first, second, *_ = ticks()
    sample = json.loads((PROJECT / "events" / "expire_jobs.json").read_text())
    assert first.keys() == second.keys() == sample.keys()
    assert (first["detail-type"], first["source"]) == (sample["detail-type"], sample["source"])
    assert first["id"] != second["id"]


def test_directory_in_use_is_refused(stack: Stack, template: Path) -> None:
    with pytest.raises(DirectoryInUse, match=f"a local stack already runs on .* \\(process {os.getpid()}\\)"):
        Stack(stack.directory, deployment=Deployment(template)).start()

    assert (stack.directory / "stack.json").exists(), (
        "the refused start removed the running stack's stack.json"
    )
    assert _listens(stack.api)


def test_failed_migration_stops_all_parts(tmp_path: Path) -> None:
    template = write_service(tmp_path / "service", FAILING_MIGRATE)
    stack = Stack(tmp_path / "state", throw_away=True, deployment=Deployment(template))

    with pytest.raises(StackFailed, match="MigrateDatabaseFunction failed: migration 0002 does not apply"):
        stack.start()

    assert not _listens(stack.postgres.owner_uri)
    assert not (stack.directory / "stack.json").exists()
    with stack.postgres:
        pass  # Its lock was released.


def test_port_in_use_is_refused(tmp_path: Path, template: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} is in use"):
            Stack(tmp_path, port=port, throw_away=True, deployment=Deployment(template)).start()


_PARENT = """
import sys, time
from pathlib import Path
from local.stack import Deployment, Stack
stack = Stack(Path(sys.argv[1]), deployment=Deployment(Path(sys.argv[2])))
stack.start()
stack.warm()
print(stack.token("acme"), flush=True)
time.sleep(60)
"""


def test_killed_stack_leaves_no_process_and_starts_again(tmp_path: Path, template: Path) -> None:
    command = [sys.executable, "-c", _PARENT, str(tmp_path), str(template)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        token = parent.stdout.readline().strip()
        killed = json.loads((tmp_path / "stack.json").read_text())
        _rows(killed["databaseOwner"], "UPDATE import_job SET status = 'PENDING' RETURNING 1")
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(_listens(killed[part]) for part in ("api", "s3", "database")))

    with Stack(tmp_path, deployment=Deployment(template)) as again:
        description = _description(again)
        assert description["pid"] == os.getpid()
        rows = _rows(
            description["databaseOwner"],
            "SELECT status, failure_code, failure_reason, finished_at IS NULL FROM import_job",
        )
        unfinished = ["FAILED", "STACK_RESTARTED", "the local stack was restarted", False]
        assert [list(row) for row in rows] == [unfinished, unfinished]
        headers = {"Authorization": f"Bearer {token}"}
        assert urllib3.request("GET", again.api + "/probe", headers=headers).status == 200, "the key was lost"
    assert not (tmp_path / "stack.json").exists()
    assert not (tmp_path / "env-vars.json").exists()
    assert not any(_listens(description[part]) for part in ("api", "s3", "database"))
