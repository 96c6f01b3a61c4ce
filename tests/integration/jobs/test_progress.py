"""Check that a job's progress delays nothing, and is never written after the job's end."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from leads.domain.job_ref import import_ref
from leads.errors import ServiceFault
from leads.jobs import progress
from leads.jobs.progress import Progress
from leads.postgres.connection import Connection
from leads.postgres.import_jobs import claim_import_job, record_progress
from tests.support.imports import posted
from tests.support.service import Caller, Service
from tests.support.waiting import wait_until

CSV = "name,phone,source\nA,0612345678,web\n"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_INTERVAL_SECONDS", 0.0)
    # A slow machine needs less than this.
    monkeypatch.setattr(progress, "_TIMEOUT_SECONDS", 20.0)


def running(service: Service, caller: Caller) -> int:
    """Return a job that is PROCESSING, without a run."""
    file = posted(service, caller, CSV)
    job_id = int(file.key.split("/")[2])
    with service.app() as connection:
        assert claim_import_job(
            connection,
            import_ref(caller.org, job_id),
            object_key=file.key,
            object_version=file.version,
            again=False,
        )
    return job_id


def progress_of(service: Service, caller: Caller, job_id: int) -> Progress:
    return Progress(
        service.database, lambda connection, rows: record_progress(connection, caller.org, job_id, rows)
    )


def processed_rows(service: Service, caller: Caller, job_id: int) -> int:
    rows: int = service.job(caller, job_id)["processedRows"]
    return rows


def waiting(service: Service) -> int:
    """Return the number of connections that wait for a locked row."""
    with service.owner() as owner:
        return int(str(owner.query_value("SELECT count(*) FROM pg_locks WHERE NOT granted")))


@contextmanager
def row_locked(service: Service, job_id: int) -> Iterator[None]:
    """Lock the job's row in another transaction."""
    with service.owner() as connection, connection.transaction():
        connection.query("SELECT FROM import_job WHERE id = :id FOR UPDATE", id=job_id)
        yield


def test_progress_of_a_locked_row_does_not_delay_the_run(service: Service, caller: Caller) -> None:
    job_id = running(service, caller)
    with closing(progress_of(service, caller, job_id)) as record_rows:
        with row_locked(service, job_id):
            started_at = time.monotonic()
            record_rows(1)
            record_rows(2)
            assert time.monotonic() - started_at < 0.5, "it waited for the row"
        wait_until(lambda: processed_rows(service, caller, job_id) == 1)

        def progress_continues() -> bool:
            record_rows(3)
            return processed_rows(service, caller, job_id) == 3

        wait_until(progress_continues)


def test_progress_that_is_being_written_at_close_is_the_last(service: Service, caller: Caller) -> None:
    job_id = running(service, caller)
    record_rows = progress_of(service, caller, job_id)
    locked = threading.Event()

    def hold() -> None:
        with row_locked(service, job_id):
            locked.set()
            wait_until(lambda: waiting(service) == 1)
            time.sleep(0.2)

    with ThreadPoolExecutor() as threads:
        threads.submit(hold)
        assert locked.wait(20)
        record_rows(4)
        record_rows.close()
        assert processed_rows(service, caller, job_id) == 4
    with pytest.raises(RuntimeError):
        record_rows(5)


def test_progress_that_times_out_closes_its_connection(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No progress is written after it."""
    job_id = running(service, caller)
    with closing(progress_of(service, caller, job_id)) as record_rows:
        with row_locked(service, job_id):
            monkeypatch.setattr(progress, "_TIMEOUT_SECONDS", 1.0)
            record_rows(1)
            wait_until(lambda: waiting(service) == 1)
            wait_until(lambda: record_rows._connection is None)
        record_rows(2)
    assert processed_rows(service, caller, job_id) == 0


@pytest.mark.parametrize(
    "fault", [ServiceFault("no AWS credentials"), ZeroDivisionError()], ids=["of AWS", "of the program"]
)
def test_progress_that_fails_does_not_fail_the_run(service: Service, fault: Exception) -> None:
    recorded: list[int] = []

    def fail(_: Connection, rows: int) -> None:
        recorded.append(rows)
        raise fault

    with closing(Progress(service.database, fail)) as record_rows:
        record_rows(1)
        wait_until(lambda: record_rows._connection is None and recorded)
        record_rows(2)
    assert recorded == [1]
