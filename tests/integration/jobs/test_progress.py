"""What a job shows of itself while it runs keeps it waiting for nothing, and is never shown after its end."""

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
    # However slow the machine is.
    monkeypatch.setattr(progress, "_TIMEOUT_SECONDS", 20.0)


def running(service: Service, caller: Caller) -> int:
    """A job that is PROCESSING, without a run."""
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


def shown(service: Service, caller: Caller, job_id: int) -> int:
    rows: int = service.job(caller, job_id)["processedRows"]
    return rows


def waiting(service: Service) -> int:
    """How many wait for a row that somebody else has."""
    with service.owner() as owner:
        return int(str(owner.query_value("SELECT count(*) FROM pg_locks WHERE NOT granted")))


@contextmanager
def held(service: Service, job_id: int) -> Iterator[None]:
    """The job's row is somebody else's meanwhile."""
    with service.owner() as connection, connection.transaction():
        connection.query("SELECT FROM import_job WHERE id = :id FOR UPDATE", id=job_id)
        yield


def test_who_shows_does_not_wait_for_it(service: Service, caller: Caller) -> None:
    job_id = running(service, caller)
    with closing(progress_of(service, caller, job_id)) as show:
        with held(service, job_id):
            began = time.monotonic()
            show(1)
            show(2)
            assert time.monotonic() - began < 0.5, "it waited for the row"
        wait_until(lambda: shown(service, caller, job_id) == 1)

        def showing_goes_on() -> bool:
            show(3)
            return shown(service, caller, job_id) == 3

        wait_until(showing_goes_on)


def test_what_is_being_shown_when_it_is_closed_arrives_and_nothing_after_it(
    service: Service, caller: Caller
) -> None:
    job_id = running(service, caller)
    show = progress_of(service, caller, job_id)
    taken = threading.Event()

    def hold() -> None:
        with held(service, job_id):
            taken.set()
            wait_until(lambda: waiting(service) == 1)
            time.sleep(0.2)

    with ThreadPoolExecutor() as threads:
        threads.submit(hold)
        assert taken.wait(20)
        show(4)
        show.close()
        assert shown(service, caller, job_id) == 4
    with pytest.raises(RuntimeError):
        show(5)


def test_after_an_answer_that_takes_too_long_nothing_is_shown_and_the_connection_is_gone_at_once(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = running(service, caller)
    with closing(progress_of(service, caller, job_id)) as show:
        with held(service, job_id):
            monkeypatch.setattr(progress, "_TIMEOUT_SECONDS", 1.0)
            show(1)
            wait_until(lambda: waiting(service) == 1)
            wait_until(lambda: show._connection is None)
        show(2)
    assert shown(service, caller, job_id) == 0


@pytest.mark.parametrize(
    "fault", [ServiceFault("no AWS credentials"), ZeroDivisionError()], ids=["of AWS", "ours"]
)
def test_whatever_fails_fails_nothing_else(service: Service, fault: Exception) -> None:
    told: list[int] = []

    def record(_: Connection, rows: int) -> None:
        told.append(rows)
        raise fault

    with closing(Progress(service.database, record)) as show:
        show(1)
        wait_until(lambda: show._connection is None and told)
        show(2)
    assert told == [1]
