"""Disconnect a client in the middle of its wait: its import or export ends as usual."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.stack import Stack
from tests.e2e.test_killed_runs import connected, until
from tests.e2e.test_service import CSV, EXPORT, IMPORT, Client, within

ROWS = 2_000
MANY = b"name,phone,source\n" + b"".join(b"B,07%08d,web\n" % n for n in range(ROWS)) + b",1,web\n"

KEY = '"8e03978e-40d5-43e8-bc93-6894a57f9324"'


@contextmanager
def asked(stack: Stack, client: Client, head: str, body: bytes = b"") -> Iterator[socket.socket]:
    """Send a request completely, and return its connection without reading the answer."""
    address = urlsplit(stack.api)
    headers = {
        "Host": address.netloc,
        "Authorization": f"Bearer {client._token}",
        "Content-Type": "application/octet-stream",
        "Content-Length": str(len(body)),
        "Idempotency-Key": KEY,
    }
    lines = [f"{head} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode() + body)
        yield connection


def hang_up(connection: socket.socket) -> None:
    """Close a connection by a reset, which a server notices, as a closed page does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def leads_locked(stack: Stack) -> Iterator[None]:
    """Lock dossier against reading and writing."""
    with closing(connected(stack.postgres.owner_uri)) as holder:
        holder.run("START TRANSACTION")
        holder.run("LOCK TABLE dossier IN ACCESS EXCLUSIVE MODE")
        yield


def waits_for_the_lock(stack: Stack, function: str) -> None:
    waiting = (
        "SELECT pid FROM pg_stat_activity "
        "WHERE application_name = :function AND wait_event_type = 'Lock' AND wait_event = 'relation'"
    )
    with closing(connected(stack.postgres.superuser_uri)) as superuser:
        until(lambda: superuser.run(waiting, function=function))


@pytest.fixture
def client(stack: Stack) -> Client:
    return Client(stack)


def test_import_of_a_disconnected_client_completes(stack: Stack, client: Client) -> None:
    with leads_locked(stack):
        with asked(stack, client, f"POST {IMPORT}?filename=many.csv", MANY) as connection:
            waits_for_the_lock(stack, "process_import")
            hang_up(connection)
        (job,) = client.request("GET", f"{IMPORT}/history").json()
        assert job["status"] == "PROCESSING"
    job = client.ended_job(job["id"])
    assert (job["status"], job["successCount"], job["errorCount"], job["skippedCount"]) == (
        "COMPLETED",
        ROWS,
        1,
        0,
    )
    assert client.export().count(b"\n") == ROWS + 1

    headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": KEY}
    again = client.request("POST", f"{IMPORT}?filename=many.csv", headers=headers, body=MANY)
    assert (again.status, again.json()["importJobId"]) == (200, job["id"]), "who comes back finds it"
    assert again.json()["successCount"] == ROWS
    with closing(connected(stack.postgres.owner_uri)) as owner:
        attempts = owner.run(
            "SELECT attempts FROM import_job WHERE org_id = :org ORDER BY id", org=client.org
        )
    assert attempts == [[1]]


def test_export_of_a_disconnected_client_completes(stack: Stack, client: Client) -> None:
    client.import_file(CSV)
    with leads_locked(stack), asked(stack, client, f"GET {EXPORT}") as connection:
        waits_for_the_lock(stack, "export_leads")
        hang_up(connection)

    def ended() -> dict[str, Any] | None:
        (export,) = client.request("GET", f"{EXPORT}/history").json()
        return export if export["status"] in ("COMPLETED", "FAILED") else None

    export = within(20, ended)
    assert (export["status"], export["rowCount"]) == ("COMPLETED", 1)
    assert client.request("GET", f"{EXPORT}/{export['id']}").json()["url"]
