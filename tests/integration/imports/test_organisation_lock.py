"""Run an organisation's imports in order, with a bounded wait, without delaying other organisations."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from leads.errors import JobLocked, OrganisationBusy
from leads.import_engine import deadline
from leads.import_engine.sizes import Sizes
from leads.jobs import claim
from leads.jobs.outcome import COMPLETED, IGNORED, MAX_ATTEMPTS, ImportOutcome
from leads.postgres.locks import signs_of_life
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.reader import ObjectReader
from tests.integration.imports.test_process_import_time import BucketThatDribbles
from tests.support.fault_table import Seen
from tests.support.hostile_s3 import BucketThatStalls, ReaderThatStalls
from tests.support.imports import job_of, posted, run_import
from tests.support.service import Caller, Service
from tests.support.waiting import wait_until

CSV = b"name,phone,source\nA,0612345678,web\n"
BUSY = "Other imports of your organisation were still running."


@contextmanager
def busy(service: Service, caller: Caller) -> Iterator[None]:
    """Hold the organisation's lock, as a running import does."""
    with service.owner() as other, other.transaction():
        other.query("SELECT pg_advisory_xact_lock(hashtextextended(:org, 1))", org=caller.org)
        yield


def waiting(service: Service, caller: Caller) -> int:
    """Return how many imports wait for the organisation's lock."""
    with service.owner() as owner:
        return int(
            str(
                owner.query_value(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
                    "AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(:org, 1)",
                    org=caller.org,
                )
            )
        )


def attempts(service: Service, caller: Caller) -> object:
    with service.owner() as owner:
        return owner.query_value("SELECT attempts FROM import_job WHERE org_id = :org", org=caller.org)


@pytest.mark.fault("20 imports of one organisation with the same phones")
def test_imports_behind_a_long_one_run_in_order(service: Service, caller: Caller, seen: Seen) -> None:
    long = ReaderThatStalls(CSV)
    neighbour = Caller()
    small = [posted(service, caller, b"name,phone,source\nB%d,%d,web\n" % (n, n)) for n in range(5)]
    ended: list[StoredFile] = []
    with ThreadPoolExecutor() as threads:
        stalls = BucketThatStalls(service.bucket_of("process_import"), long)
        first = threads.submit(run_import, service, posted(service, caller, CSV), bucket=stalls)
        assert long.reached_end.wait(20)
        runs: list[Future[ImportOutcome]] = []
        for number, file in enumerate(small, 1):
            run = threads.submit(run_import, service, file)
            run.add_done_callback(lambda _, file=file: ended.append(file))  # type: ignore[misc]
            runs.append(run)
            wait_until(lambda number=number: waiting(service, caller) == number)  # type: ignore[misc]

        started_at = time.monotonic()
        assert run_import(service, posted(service, neighbour, CSV)).ended == COMPLETED
        beside = time.monotonic() - started_at
        assert waiting(service, caller) == len(small), "none of them was in the neighbour's way"

        long.may_end.set()
        assert [run.result(20).ended for run in [first, *runs]] == [COMPLETED] * 6
    stored = [lead["name"] for lead in service.leads(caller)]
    assert stored == ["A", *(f"B{n}" for n in range(5))], "first come, first served"
    assert len(service.leads(neighbour)) == 1
    seen(
        f"5 imports queued behind a long one: all COMPLETED, in order; a neighbour beside them {beside:.2f} s"
    )


@pytest.mark.fault("a lock held by another transaction")
def test_import_without_the_lock_is_retried_and_then_fails(
    service: Service, caller: Caller, seen: Seen
) -> None:
    file = posted(service, caller, CSV)
    with busy(service, caller):
        for attempt in range(1, MAX_ATTEMPTS + 1):
            assert job_of(service, caller, file)["status"] != "FAILED", attempt
            started_at = time.monotonic()
            with pytest.raises(OrganisationBusy):
                run_import(service, file, seconds=2)
            assert 1 <= time.monotonic() - started_at < 2, "one wait, which leaves time for the import"
            assert attempts(service, caller) == attempt
    job = job_of(service, caller, file)
    assert (job["status"], job["failureReason"][: len(BUSY)]) == ("FAILED", BUSY)
    assert "send the file again" in job["failureReason"]
    assert service.leads(caller) == []
    service.announce(file)
    assert job_of(service, caller, file)["status"] == "COMPLETED", "a redrive completes it"
    seen(f"the organisation's turn, at every attempt: FAILED: {job['failureReason']}")


def test_import_opens_its_file_after_it_has_the_lock(service: Service, caller: Caller) -> None:
    opened: list[float] = []

    class BucketThatNotesWhen(Bucket):
        def open(self, key: str, version: str) -> ObjectReader:
            opened.append(time.monotonic())
            return super().open(key, version)

    bucket = BucketThatNotesWhen(service.bucket_of("process_import").client, service.bucket)
    with ThreadPoolExecutor() as threads:
        with busy(service, caller):
            run = threads.submit(run_import, service, posted(service, caller, CSV), bucket=bucket)
            wait_until(lambda: waiting(service, caller))
            turn = time.monotonic()
        assert run.result(20).ended == COMPLETED
    assert [at > turn for at in opened] == [False, True]
    opened.clear()
    run_import(service, posted(service, caller, CSV), bucket=bucket)
    assert len(opened) == 1, "nobody was waited for"


@pytest.mark.slow_fault
def test_import_with_a_late_lock_is_not_advised_to_split(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "MAX_LOCK_WAIT_SECONDS", 0.01)
    file = posted(service, caller, CSV)
    endless = BucketThatDribbles(service.bucket_of("process_import"), 1000)

    def run() -> ImportOutcome:
        return run_import(service, file, Sizes(500, 500), bucket=endless, seconds=3)

    with ThreadPoolExecutor() as threads:
        with busy(service, caller):
            running = threads.submit(run)
            wait_until(lambda: waiting(service, caller))
            time.sleep(0.1)
        with pytest.raises(OrganisationBusy):
            running.result(20)
    assert job_of(service, caller, file)["status"] == "PROCESSING"
    assert run().ended == "IMPORT_TOO_LONG", "now it had the whole of a run"


@pytest.mark.fault("the same event at the same instant")
def test_event_of_a_job_that_waits_for_the_lock_is_ignored(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "DEAD_LOCK_SECONDS", 1.0)
    file = posted(service, caller, CSV)
    with ThreadPoolExecutor() as threads:
        with busy(service, caller):
            run = threads.submit(run_import, service, file)
            wait_until(lambda: waiting(service, caller))
            started_at = time.monotonic()
            assert run_import(service, file).ended == IGNORED
            assert time.monotonic() - started_at > 1, (
                "a dead run's connection waits, too, until the server knows"
            )
        assert run.result(20).ended == COMPLETED
    assert attempts(service, caller) == 1


def test_dead_run_that_waited_is_not_mistaken_for_running(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection still waits for the lock until the server notices."""
    monkeypatch.setattr(claim, "DEAD_LOCK_SECONDS", 2.0)
    looks: list[Any] = []
    file = posted(service, caller, CSV)

    def note(*arguments: Any) -> Any:
        looks.append(signs_of_life(*arguments))
        if len(looks) == 3:
            # The server notices that the client is gone.
            with service.app() as same_role:
                same_role.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid",
                    pid=int(looks[-1].holder.split()[0]),
                )
        return looks[-1]

    with busy(service, caller), ThreadPoolExecutor() as threads:
        # The time is too short for a second try.
        run = threads.submit(run_import, service, file, seconds=50)
        wait_until(lambda: waiting(service, caller))
        monkeypatch.setattr(claim, "signs_of_life", note)
        with pytest.raises(OrganisationBusy):
            run_import(service, file, seconds=2)
        assert run.exception(20) is not None
        assert not isinstance(run.exception(), JobLocked)
    assert looks[0].waits
    assert attempts(service, caller) == 2
