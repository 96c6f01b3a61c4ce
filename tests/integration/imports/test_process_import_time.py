"""Run out of time: the function's, a statement's, or the wait for a foreign lock."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from leads.errors import DatabaseFault, ServiceFault
from leads.import_engine import deadline
from leads.import_engine.sizes import Sizes
from leads.jobs.outcome import COMPLETED, MAX_ATTEMPTS
from leads.postgres import staging
from leads.postgres.connection import Connection, Database
from leads.postgres.staging import Staging
from leads.s3.bucket import Bucket
from leads.s3.reader import ObjectReader
from tests.support.fault_table import Seen
from tests.support.imports import counts, job_of, pending_uploads, posted, run_import
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import Caller, Service, s3_event
from tests.support.waiting import wait_until

HEADER = b"name,phone,source\n"
ROW = b"A,0612345678,web\n"
FAULTY = b",1,web\n"
TOO_LONG = "split it into smaller files"


class _SlowBody:
    """An endless body that returns a few rows at a time."""

    def __init__(self) -> None:
        self._rows = HEADER
        self._given = 0

    def read(self, amt: int) -> bytes:
        if not self._rows:
            threading.Event().wait(0.001)
            self._given += 1
            numbers = range(100 * self._given, 100 * self._given + 100)
            self._rows = b"".join(b"A,06%08d,web\n" % n for n in numbers) + FAULTY
        part, self._rows = self._rows[:amt], self._rows[amt:]
        return part

    def close(self) -> None:
        pass


class BucketThatDribbles(Bucket):
    """A bucket with slow, endless objects."""

    def __init__(self, bucket: Bucket, size: int) -> None:
        super().__init__(bucket.client, bucket.name)
        self._size = size

    def open(self, key: str, version: str) -> ObjectReader:
        return ObjectReader(_SlowBody(), self._size)  # type: ignore[arg-type]


def nothing_is_left(service: Service, caller: Caller) -> None:
    prefix = f"reports/{caller.org}/"
    assert (service.leads(caller), service.keys(prefix), pending_uploads(service, prefix)) == ([], [], [])


@contextmanager
def held_lead(service: Service, caller: Caller) -> Iterator[None]:
    """Hold the lock of the lead that a file changes."""
    with service.owner() as somebody, somebody.transaction():
        somebody.query("SELECT FROM dossier WHERE org_id = :org FOR UPDATE", org=caller.org)
        yield


@pytest.mark.fault("the Lambda's time runs out in a large file")
@pytest.mark.parametrize("size", [1000, 10**9], ids=["in this process", "in another process"])
def test_import_beyond_its_deadline_fails_with_advice(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, seen: Seen, size: int
) -> None:
    merges: list[object] = []

    original = Staging.merge

    def merge(*arguments: Any) -> list[int]:
        merges.append(arguments)
        return original(*arguments)

    # The deadline passes after the first rows.
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + (1e6 if merges else 0))
    monkeypatch.setattr(deadline, "time", clock)
    monkeypatch.setattr(Staging, "merge", merge)
    file = posted(service, caller, HEADER)
    bucket = BucketThatDribbles(service.bucket_of("process_import"), size)
    outcome = run_import(service, file, Sizes(chunk_rows=500, merge_rows=500), bucket=bucket)
    assert outcome.ended == "IMPORT_TOO_LONG"
    assert merges, "no row was imported yet, so this test tells nothing"
    job = job_of(service, caller, file)
    assert (job["status"], counts(job), TOO_LONG in job["failureReason"]) == ("FAILED", (0, 0, 0, 0), True)
    nothing_is_left(service, caller)
    seen(f"FAILED: {job['failureReason']}")

    service.announce(file)
    assert job_of(service, caller, file)["status"] == "FAILED", "it would take as long again"


@pytest.mark.fault("the Lambda's time runs out in a large file")
def test_statement_beyond_the_deadline_is_ended(service: Service, caller: Caller, seen: Seen) -> None:
    service.import_csv(caller, HEADER + ROW)
    file = posted(service, caller, HEADER + b"B,0612345678,web\n", "OVERWRITE")
    with held_lead(service, caller):
        assert run_import(service, file, seconds=1).ended == "IMPORT_TOO_LONG"
    assert [lead["name"] for lead in service.leads(caller)] == ["A"]


@pytest.mark.fault("the Lambda's time runs out in a large file")
def test_handler_reserves_time_to_record_the_outcome(service: Service, caller: Caller) -> None:
    file = posted(service, caller, HEADER + ROW)
    keeps = service.module("process_import").RESERVED_SECONDS
    context = FakeLambdaContext("process_import", timeout=keeps)
    service.handler("process_import")(s3_event(service.bucket, file), context)
    assert TOO_LONG in job_of(service, caller, file)["failureReason"]
    assert service.leads(caller) == []


class DatabaseWithALimit(Database):
    """A database whose statements have a time limit from outside."""

    def __init__(self, database: Database, setting: str) -> None:
        self._database = database
        self._setting = setting

    def connect(self, *, timeout: float | None = None) -> Connection:
        connection = self._database.connect(timeout=timeout)
        connection.execute(self._setting)
        return connection


@pytest.mark.fault("a lock held by another transaction")
def test_wait_for_a_foreign_lock_is_bounded_and_redelivered(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    service.import_csv(caller, HEADER + ROW)
    file = posted(service, caller, HEADER + b"B,0612345678,web\n", "OVERWRITE")
    monkeypatch.setattr(staging, "LEAD_LOCK_TIMEOUT", "300ms")
    with held_lead(service, caller), pytest.raises(DatabaseFault) as fault:
        run_import(service, file)
    assert fault.value.sqlstate == "55P03"
    assert job_of(service, caller, file)["status"] == "PROCESSING"
    assert [lead["name"] for lead in service.leads(caller)] == ["A"]
    service.announce(file)
    assert job_of(service, caller, file)["status"] == "COMPLETED"
    assert [lead["name"] for lead in service.leads(caller)] == ["B"]
    seen("a lead's lock: given up after its bound, COMPLETED by the next delivery")


@pytest.mark.fault("a lock held by another transaction")
def test_foreign_lock_at_every_attempt_fails_the_job(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    service.import_csv(caller, HEADER + ROW)
    file = posted(service, caller, HEADER + b"B,0612345678,web\nC,0612345679,web\n", "OVERWRITE")
    monkeypatch.setattr(staging, "LEAD_LOCK_TIMEOUT", "100ms")
    with held_lead(service, caller):
        for _ in range(MAX_ATTEMPTS):
            with pytest.raises(ServiceFault):
                service.announce(file)
    job = job_of(service, caller, file)
    assert (job["status"], "send it again" in job["failureReason"]) == ("FAILED", True)
    assert [lead["name"] for lead in service.leads(caller)] == ["A"]
    seen("a lead's lock, at every attempt: FAILED, no row stored")


@pytest.mark.fault("a lock held by another transaction")
def test_wait_for_a_foreign_lock_is_bounded_at_every_step(service: Service, caller: Caller) -> None:
    with service.app() as connection:
        (bound,) = connection.query(
            "SELECT extract(epoch FROM CAST(current_setting('lock_timeout') AS interval))"
        )
    assert 0 < float(str(bound[0])) <= 60

    # Locks the job's row: the run meets it before the import sets its own limit.
    file = posted(service, caller, HEADER + ROW)
    with service.owner() as somebody, somebody.transaction():
        somebody.query("SELECT FROM import_job WHERE org_id = :org FOR UPDATE", org=caller.org)
        with pytest.raises(DatabaseFault) as fault:
            run_import(service, file, database=DatabaseWithALimit(service.database, "SET lock_timeout = 200"))
    assert fault.value.sqlstate == "55P03"
    service.announce(file)
    assert job_of(service, caller, file)["status"] == "COMPLETED"


@pytest.mark.fault("a statement timeout")
def test_statement_ended_by_a_foreign_limit_is_retried(service: Service, caller: Caller, seen: Seen) -> None:
    service.import_csv(caller, HEADER + ROW)
    file = posted(service, caller, HEADER + b"B,0612345678,web\nC,0612345679,web\n", "OVERWRITE")
    with held_lead(service, caller), ThreadPoolExecutor() as threads:
        # The run's own limit is much longer, so a cancel causes its 57014.
        run = threads.submit(run_import, service, file)
        with service.app() as somebody:
            cancel = (
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                "WHERE usename = current_user AND wait_event_type = 'Lock'"
            )
            wait_until(lambda: somebody.query(cancel) == [] and run.done())
        with pytest.raises(DatabaseFault) as fault:
            run.result()
    assert fault.value.sqlstate == "57014"
    assert [lead["name"] for lead in service.leads(caller)] == ["A"]
    assert run_import(service, file).ended == COMPLETED
    assert sorted(str(lead["name"]) for lead in service.leads(caller)) == ["B", "C"]
    seen("57014 at both tries of a run: rolled back, COMPLETED by the next delivery")
