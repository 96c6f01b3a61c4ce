"""Test the embedded Postgres: its logins, its data, and the end of a killed parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pg8000.dbapi
import pytest

from local.postgres.embedded import EmbeddedPostgres
from local.state import DirectoryInUse
from tests.support.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]


def _query(uri: str, *statements: str) -> Any:
    """Run statements in one transaction and return the first cell of the last result."""
    parts = urlsplit(uri)
    with closing(
        pg8000.dbapi.connect(
            user=parts.username or "",
            password=unquote(parts.password or ""),
            host=parts.hostname or "",
            port=parts.port or 0,
            database=parts.path[1:],
        )
    ) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else None
        connection.commit()
        return rows[0][0] if rows else None


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), throw_away=True) as running:
        yield running


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_server_is_postgres_16_in_utf8_and_utc(postgres: EmbeddedPostgres) -> None:
    assert _query(postgres.owner_uri, "SHOW server_version").startswith("16.")
    assert _query(postgres.owner_uri, "SHOW server_encoding") == "UTF8"
    assert _query(postgres.owner_uri, "SHOW TimeZone") == "UTC"
    assert _query(postgres.owner_uri, "SELECT upper('é')") == "É"


def test_owner_creates_roles_without_being_superuser(postgres: EmbeddedPostgres) -> None:
    _query(postgres.owner_uri, "CREATE ROLE leads_app LOGIN PASSWORD 'of the app'", "CREATE TABLE t (n int)")

    assert _query(postgres.app_uri("of the app"), "SELECT current_user") == "leads_app"
    assert _query(postgres.owner_uri, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert (
        _query(postgres.superuser_uri, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
    )


def test_connection_without_password_is_refused(postgres: EmbeddedPostgres) -> None:
    for user in ("leads_owner", "postgres"):
        with pytest.raises(pg8000.dbapi.DatabaseError, match="28P01"):
            _query(postgres.uri(user, "wrong"), "SELECT 1")
    assert list((postgres.directory / "data").glob(".s.PGSQL*")) == [], "a socket beside the TCP port"


def test_password_file_is_private(postgres: EmbeddedPostgres) -> None:
    assert (postgres.directory / "data" / "passwords.json").stat().st_mode & 0o077 == 0


def test_server_log_has_no_values(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(pg8000.dbapi.DatabaseError):
        _query(
            postgres.owner_uri,
            "CREATE TABLE unique_phones (phone text PRIMARY KEY)",
            "INSERT INTO unique_phones VALUES ('+33612345678'), ('+33612345678')",
        )

    log = (postgres.directory / "postgres.log").read_text()
    assert "unique_phones_pkey" in log
    assert "33612345678" not in log


def test_data_and_passwords_survive_restart(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as postgres:
        assert _query(postgres.owner_uri, "SHOW fsync") == "on", "leads must survive"
        _query(postgres.owner_uri, "CREATE TABLE numbers AS SELECT 42 AS n")
        password = postgres.owner_password
    assert not _listens(postgres.port)

    with EmbeddedPostgres(tmp_path) as again:
        assert again.owner_password == password
        assert _query(again.owner_uri, "SELECT n FROM numbers") == 42


def test_second_server_on_directory_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(DirectoryInUse, match=f"already runs on .* \\(process {os.getpid()}\\)"):
        EmbeddedPostgres(postgres.directory).start()

    assert _query(postgres.owner_uri, "SELECT 1") == 1, "the refused start stopped the running server"


def test_port_in_use_is_replaced(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with EmbeddedPostgres(tmp_path, throw_away=True, port=port) as postgres:
            assert postgres.port not in (0, port)
            assert _query(postgres.owner_uri, "SELECT 1") == 1


_PARENT = """
import sys, time
from pathlib import Path
from local.postgres.embedded import EmbeddedPostgres
postgres = EmbeddedPostgres(Path(sys.argv[1]))
postgres.start()
print(postgres.port, postgres._guard._shell.pid, flush=True)
time.sleep(60)
"""


def _killed_parent(directory: Path, *, and_guard: bool) -> int:
    """Start a server in a process, kill the process, and return the server's port."""
    command = [sys.executable, "-c", _PARENT, str(directory)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        port, guard = map(int, parent.stdout.readline().split())
        if and_guard:
            os.kill(guard, signal.SIGKILL)
        parent.send_signal(signal.SIGKILL)
    return port


def test_killed_parent_ends_server_that_starts_again(tmp_path: Path) -> None:
    port = _killed_parent(tmp_path, and_guard=False)
    wait_until(lambda: not _listens(port))

    # It starts although another process has the old server's number.
    (tmp_path / "data" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{tmp_path}/data\n1\n5432\n\n\n1 1\nready\n"
    )
    with EmbeddedPostgres(tmp_path) as postgres:
        assert _query(postgres.owner_uri, "SELECT 1") == 1


def test_orphaned_server_is_ended_at_next_start(tmp_path: Path) -> None:
    port = _killed_parent(tmp_path, and_guard=True)
    assert _listens(port), "the server must still run for this test"

    with EmbeddedPostgres(tmp_path) as postgres:
        assert _query(postgres.owner_uri, "SELECT 1") == 1
        assert postgres.port == port or not _listens(port), "two servers on one directory"


def test_interrupted_first_start_is_repeated(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "PG_VERSION").write_text("16")

    with EmbeddedPostgres(tmp_path, throw_away=True) as postgres:
        assert _query(postgres.owner_uri, "SELECT 1") == 1
