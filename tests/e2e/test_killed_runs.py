"""Kill runs in their own processes, and check what becomes of their jobs."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pg8000.native
import pytest

from local.aws.s3 import ACCOUNT_ID
from local.stack import STACK_NAME, Stack
from tests.e2e.test_service import IMPORT, Client, within

STORED = b"name,phone,source\nA,0612345678,web\n"
NEW = 6_000
BLOCKED = b"name,phone,source\n" + b"".join(b"B,07%08d,web\n" % n for n in range(NEW)) + b"C,0612345678,web\n"
"""More rows than the first merge has, and then one that waits for the lock of the stored lead."""

MAX_ATTEMPTS = 3


def connected(uri: str) -> pg8000.native.Connection:
    """Connect in autocommit mode."""
    parts = urlsplit(uri)
    return pg8000.native.Connection(
        parts.username or "",
        password=parts.password,
        host=parts.hostname or "",
        port=parts.port or 0,
        database=parts.path[1:],
    )


@pytest.fixture
def owner(stack: Stack) -> Iterator[pg8000.native.Connection]:
    with closing(connected(stack.postgres.owner_uri)) as connection:
        yield connection


def until(look: Callable[[], Any]) -> Any:
    """Return the result of `look`, called until it has one."""
    return within(30, lambda: {"found": found} if (found := look()) else None)["found"]


def processes(function: str) -> list[int]:
    """Return the processes of a function in this process's stack."""
    found = []
    named = f"AWS_LAMBDA_FUNCTION_NAME={STACK_NAME}-{function}"
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and named in (directory / "environ").read_text().split("\0"):
                found.append(int(directory.name))
        except OSError:
            continue  # It has ended meanwhile.
    return found


def kill_the_run(stack: Stack, id: int) -> int:
    """Wait for a run in the middle of the job's file, kill its process, and return the attempts so far."""
    waiting = (
        "SELECT pid FROM pg_stat_activity "
        "WHERE application_name = 'process_import' AND wait_event = 'transactionid'"
    )
    with closing(connected(stack.postgres.superuser_uri)) as superuser:
        ((backend,),) = until(lambda: superuser.run(waiting))
        ((attempts,),) = superuser.run("SELECT attempts FROM import_job WHERE id = :id", id=id)
        killed = processes("ProcessImportFunction")
        assert killed
        for process in killed:
            os.kill(process, signal.SIGSTOP)
        # The server would notice within ten seconds (client_connection_check_interval). The next attempt
        # comes after one second, and must not find the lock of this one.
        assert superuser.run("SELECT pg_terminate_backend(:pid, 20000)", pid=backend) == [[True]]
        for process in killed:
            os.kill(process, signal.SIGKILL)
    return int(attempts)


def dead_letter(stack: Stack, key: str) -> bytes:
    """Return the event of an object from the dead-letter queue."""
    queue = f"{stack.s3.url}/{ACCOUNT_ID}/{STACK_NAME}-ImportDeadLetters"

    def look() -> str | None:
        letters = stack.s3.queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return next((letter["Body"] for letter in letters if key in letter["Body"]), None)

    found: str = until(look)
    return found.encode()


@pytest.mark.fault("SIGKILL of every attempt")
def test_job_with_every_run_killed_ends_and_redrive_completes(
    stack: Stack, owner: pg8000.native.Connection
) -> None:
    client = Client(stack)
    client.import_file(STORED)
    leads = "SELECT name, phone FROM dossier WHERE org_id = :org ORDER BY id LIMIT 2"
    with closing(connected(stack.postgres.owner_uri)) as holder:
        holder.run("START TRANSACTION")
        holder.run("SELECT FROM dossier WHERE org_id = :org FOR UPDATE", org=client.org)
        answer = client.request(
            "POST",
            f"{IMPORT}?mergeStrategy=OVERWRITE",
            headers={"Content-Type": "application/octet-stream", "Prefer": "respond-async"},
            body=BLOCKED,
        )
        id = answer.json()["importJobId"]
        assert [kill_the_run(stack, id) for _ in range(MAX_ATTEMPTS)] == [1, 2, 3]
        event = dead_letter(stack, f"imports/{client.org}/{id}/")

    # Its last run may be about to retry. A second run of expire_jobs, a minute later, excludes that.
    assert not stack.environments.invoke("ExpireJobsFunction", b"{}").failed
    job = client.request("GET", f"{IMPORT}/history/{id}").json()
    assert job["status"] == "PROCESSING"
    owner.run(
        "UPDATE import_job SET unattended_since = unattended_since - interval '1 minute' WHERE id = :id",
        id=id,
    )
    assert not stack.environments.invoke("ExpireJobsFunction", b"{}").failed
    job = client.request("GET", f"{IMPORT}/history/{id}").json()
    assert (job["status"], job["totalRows"], "send it again" in job["failureReason"]) == ("FAILED", 0, True)
    assert owner.run(leads, org=client.org) == [["A", "0612345678"]], "no row of the killed runs is stored"

    assert not stack.environments.invoke("ProcessImportFunction", event).failed
    job = client.request("GET", f"{IMPORT}/history/{id}").json()
    assert (job["status"], job["successCount"], job["failureReason"]) == ("COMPLETED", NEW + 1, None)
    assert owner.run("SELECT count(*) FROM dossier WHERE org_id = :org", org=client.org) == [[NEW + 1]]
    assert owner.run(leads, org=client.org)[0] == ["C", "0612345678"]
