"""Check a run that finds its job locked: by an active run, by a dead one, or by an unresponsive one."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from leads.domain.job_ref import export_ref, import_ref
from leads.errors import JobLocked
from leads.jobs import claim
from leads.jobs.outcome import COMPLETED, IGNORED, ImportOutcome
from leads.postgres import locks, tcp
from leads.postgres.connection import Connection, Database
from leads.postgres.export_jobs import record_export_progress
from leads.postgres.import_jobs import claim_import_job, record_progress
from leads.postgres.locks import lock_job
from leads.s3.events import StoredFile
from tests.support.exports import asked, job_id, run_export
from tests.support.fault_table import Seen
from tests.support.imports import job_of, posted, run_import
from tests.support.service import Caller, Service
from tests.support.tcp_proxy import TcpProxy, database_behind
from tests.support.waiting import wait_until

CSV = b"name,phone,source\nA,0612345678,web\n"


@contextmanager
def locked_job(service: Service, caller: Caller, file: StoredFile) -> Iterator[Connection]:
    """Lock the file's job as another run does, and return that run's connection."""
    with service.app() as run:
        id = int(file.key.split("/")[2])
        claim_import_job(run, import_ref(caller.org, id), object_key=file.key, object_version=file.version)
        yield run


def waiting_for(tried: threading.Event, run: Callable[[], Any], threads: ThreadPoolExecutor) -> Future[Any]:
    """Start a run and return it when it has found its job locked."""
    running = threads.submit(run)
    assert tried.wait(20)
    return running


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Return an event that is set when a run has checked the second time for signs of life."""
    event, checks, check = threading.Event(), [], locks.signs_of_life

    def note(*arguments: Any) -> Any:
        checks.append(check(*arguments))
        if len(checks) > 1:
            event.set()
        return checks[-1]

    monkeypatch.setattr(claim, "signs_of_life", note)
    return event


@pytest.mark.fault("the same event at the same instant")
@pytest.mark.parametrize("sign", ["a statement", "progress"])
def test_duplicate_of_an_active_run_ends_at_its_sign_of_life(
    service: Service, caller: Caller, tried: threading.Event, sign: str
) -> None:
    file = posted(service, caller, CSV)
    with locked_job(service, caller, file) as run, ThreadPoolExecutor() as threads:
        duplicate = waiting_for(tried, lambda: run_import(service, file), threads)
        assert not duplicate.done(), "a run without a sign of life may be dead"
        if sign == "a statement":
            run.query("SELECT 1")
        else:
            with service.app() as progress:
                record_progress(progress, caller.org, int(file.key.split("/")[2]), 1)
        assert duplicate.result(20).ended == IGNORED
    assert job_of(service, caller, file)["status"] == "PROCESSING"


def test_duplicate_of_an_export_ends_at_its_progress(
    service: Service, caller: Caller, tried: threading.Event
) -> None:
    """The export is in one long statement, so its progress is its only sign of life."""
    request = asked(service, caller)
    with service.app() as run, ThreadPoolExecutor() as threads, service.app() as progress:
        lock_job(run, export_ref("", job_id(request)))
        with service.owner() as owner:
            owner.query("UPDATE export_job SET status = 'PROCESSING' WHERE id = :id", id=job_id(request))
        duplicate = waiting_for(tried, lambda: run_export(service, request), threads)
        record_export_progress(progress, caller.org, job_id(request), 7)
        assert duplicate.result(20).ended == IGNORED


@pytest.mark.fault("the same event at the same instant")
def test_duplicate_of_a_run_that_ends_ignores_the_event(
    service: Service, caller: Caller, tried: threading.Event
) -> None:
    file = posted(service, caller, CSV)
    with ThreadPoolExecutor() as threads:
        with locked_job(service, caller, file):
            duplicate = waiting_for(tried, lambda: run_import(service, file), threads)
            with service.owner() as owner:
                owner.query("UPDATE import_job SET status = 'COMPLETED' WHERE org_id = :org", org=caller.org)
        assert duplicate.result(20).ended == IGNORED


@pytest.mark.fault("a redelivery that meets the lock of a dead run")
def test_redelivery_claims_the_job_when_a_dead_runs_lock_ends(
    service: Service, caller: Caller, tried: threading.Event
) -> None:
    file = posted(service, caller, CSV)
    with ThreadPoolExecutor() as threads:
        with locked_job(service, caller, file):
            redelivery: Future[ImportOutcome] = waiting_for(tried, lambda: run_import(service, file), threads)
        assert redelivery.result(20).ended == COMPLETED
    assert len(service.leads(caller)) == 1


@pytest.mark.fault("a redelivery that meets the lock of a dead run")
def test_event_of_a_job_locked_without_sign_of_life_is_retried(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "DEAD_LOCK_SECONDS", 0.6)
    file, request = posted(service, caller, CSV), asked(service, caller)
    with locked_job(service, caller, file), pytest.raises(JobLocked):
        run_import(service, file)
    with service.app() as run:
        lock_job(run, export_ref("", job_id(request)))
        with pytest.raises(JobLocked):
            run_export(service, request)


class DatabaseOfShortLimits(Database):
    """Set a tenth of a deployment's limits, for a network that drops all packets."""

    def connect(self, *, timeout: float | None = None) -> Connection:
        connection = super().connect(timeout=timeout)
        connection.execute(
            "SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 1; "
            "SET tcp_user_timeout = '3500'; SET client_connection_check_interval = '1s'"
        )
        return connection


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a tenth of the client's own limits."""
    limits = {"TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 1, "TCP_USER_TIMEOUT": 3_500}
    monkeypatch.setattr(tcp, "KEEPALIVE_OPTIONS", limits)


def hang(service: Service, caller: Caller, proxy: TcpProxy, database: Database, seen: Seen) -> None:
    """Drop a run's packets in the middle of its file. The run tries again and meets its own lock."""
    file = posted(service, caller, CSV)
    merging = proxy.hold(b"COPY staging")
    with ThreadPoolExecutor() as threads:
        run = threads.submit(run_import, service, file, database=database)
        merging.wait()
        started_at = time.monotonic()
        proxy.drop_packets()
        merging.release()
        assert run.result(120).ended == COMPLETED
    seconds = time.monotonic() - started_at
    seen(f"the packets of a run fell: COMPLETED by its own second try after {seconds:.1f} s")
    with service.owner() as owner:
        assert owner.query_value("SELECT attempts FROM import_job WHERE org_id = :org", org=caller.org) == 1
    assert len(service.leads(caller)) == 1


@pytest.mark.fault("a connection that hangs")
@pytest.mark.usefixtures("short_limits")
@pytest.mark.slow_fault
def test_run_with_dropped_packets_completes_in_short_limits(
    service: Service, caller: Caller, proxy: TcpProxy, seen: Seen
) -> None:
    hang(service, caller, proxy, database_behind(service, proxy, DatabaseOfShortLimits), seen)


@pytest.mark.slow_fault
@pytest.mark.fault("a connection that hangs")
def test_run_with_dropped_packets_completes_in_real_limits(
    service: Service, caller: Caller, proxy: TcpProxy, seen: Seen
) -> None:
    hang(service, caller, proxy, database_behind(service, proxy), seen)


@pytest.mark.slow_fault
@pytest.mark.fault("a redelivery that meets the lock of a dead run")
@pytest.mark.fault("locks of a dead run")
@pytest.mark.parametrize("last", ["idle in its transaction", "in a statement that waits"])
def test_redelivery_after_a_lost_machine_completes_in_a_minute(
    service: Service, caller: Caller, proxy: TcpProxy, seen: Seen, last: str
) -> None:
    file = posted(service, caller, CSV)
    lost = database_behind(service, proxy).connect()
    claim_import_job(
        lost,
        import_ref(caller.org, int(file.key.split("/")[2])),
        object_key=file.key,
        object_version=file.version,
    )
    lost.execute("START TRANSACTION; SELECT 1")
    with service.app() as holder, ThreadPoolExecutor() as threads:
        if last == "in a statement that waits":
            lock = "SELECT pg_advisory_lock(hashtextextended(:org, 7))"
            holder.query(lock, org=caller.org)
            asked_for = threads.submit(lost.query, lock, org=caller.org)
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            with service.owner() as owner:
                wait_until(lambda: owner.query_value(waiting))
        proxy.drop_packets()
        started_at = time.monotonic()
        assert run_import(service, file).ended == COMPLETED
        seconds = time.monotonic() - started_at
        seen(f"{last}: COMPLETED {seconds:.1f} s after the redelivery")
        assert seconds < 60
        if last == "in a statement that waits":
            assert asked_for.exception(60) is not None
    lost.close()
    assert len(service.leads(caller)) == 1
