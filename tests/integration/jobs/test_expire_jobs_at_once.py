"""Check expire_jobs beside another run of it, and beside an event of the same job.

Its one query across organisations returns overdue jobs and nothing else.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import IO

import pytest

from leads.domain.job_ref import JobRef
from leads.errors import DatabaseFault
from leads.jobs.outcome import COMPLETED, MAX_ATTEMPTS, ImportOutcome
from leads.postgres import overdue_jobs
from leads.postgres.overdue_jobs import OverdueKind, hold_overdue_job
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import import_key
from leads.use_cases.expire_jobs import Expired
from tests.support.expiry import (
    CSV,
    EVENT_GONE,
    EXPORT,
    IMPORT,
    UPLOAD_GONE,
    claimed_imports,
    dropped,
    expire,
    how_it_ended,
    make_past,
    result,
    unattended,
    upload,
)
from tests.support.exports import asked, job_id
from tests.support.imports import run_import
from tests.support.service import Caller, Service
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("no_unfinished_jobs")


class BucketThatWaits(Bucket):
    """Delay put and stored_at until `let` is set. The time that stored_at returns is then out of date."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket.client, bucket.name)
        self.asked = threading.Event()
        self.let = threading.Event()

    def put(self, key: str, body: bytes | IO[bytes], content_type: str) -> str:
        self._wait()
        return super().put(key, body, content_type)

    def stored_at(self, key: str) -> datetime | None:
        stored = super().stored_at(key)
        self._wait()
        return stored

    def _wait(self) -> None:
        self.asked.set()
        assert self.let.wait(20), "let was never set"


@contextmanager
def ending(service: Service) -> Iterator[tuple[ThreadPoolExecutor, Future[Expired], threading.Event]]:
    """Pause a run of expire_jobs while it ends a job. Setting the event resumes it."""
    bucket = BucketThatWaits(service.leads_bucket)
    with ThreadPoolExecutor() as threads:
        run = threads.submit(expire, service, bucket=bucket)
        try:
            assert bucket.asked.wait(20)
            yield threads, run, bucket.let
        finally:
            bucket.let.set()


def test_two_runs_at_once_end_a_job_once(service: Service, caller: Caller) -> None:
    _, id = dropped(service, caller, CSV)
    make_past(service, IMPORT, id, created_at=EVENT_GONE)
    with ending(service) as (_, first, let):
        assert expire(service).faults == 0, "the second run does not touch the job"
        assert how_it_ended(service, IMPORT, id) == ("PENDING", None)
        let.set()
        assert first.result().ended[OverdueKind.IMPORT] == 1
    assert how_it_ended(service, IMPORT, id) == ("FAILED", "INTERNAL")


def handled_after(
    service: Service, file: StoredFile, threads: ThreadPoolExecutor, let: threading.Event
) -> ImportOutcome:
    """Return the outcome of an event that must wait until `let` allows the job's end."""
    event = threads.submit(run_import, service, file)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
    with service.owner() as connection:
        wait_until(lambda: event.done() or connection.query_value(waiting))
    assert not event.done()
    let.set()
    return event.result()


def test_event_during_expiry_of_its_job_is_handled_after_it(service: Service, caller: Caller) -> None:
    file, id = dropped(service, caller, CSV)
    claimed_imports(service, caller, file, id, MAX_ATTEMPTS)
    unattended(service, IMPORT, id)
    with ending(service) as (threads, expiring, let):
        assert handled_after(service, file, threads, let).ended == COMPLETED
        assert expiring.result().ended[OverdueKind.IMPORT] == 1
    assert (how_it_ended(service, IMPORT, id), len(service.leads(caller))) == (("COMPLETED", None), 1)
    assert result(service, caller, id)["status"] == "COMPLETED"


def test_file_uploaded_while_its_job_expires_is_imported(service: Service, caller: Caller) -> None:
    id = upload(service, caller)
    make_past(service, IMPORT, id, created_at=UPLOAD_GONE + 1)
    with ending(service) as (threads, expiring, let):
        file = service.put(import_key(caller.org, id), CSV)
        assert handled_after(service, file, threads, let).ended == COMPLETED
        assert expiring.result().ended[OverdueKind.UPLOAD] == 1
    assert (how_it_ended(service, IMPORT, id), len(service.leads(caller))) == (("COMPLETED", None), 1)


def test_job_that_is_no_longer_overdue_is_not_held(service: Service, caller: Caller) -> None:
    young, done = upload(service, caller), service.import_csv(caller, CSV)["id"]
    export = job_id(asked(service, caller))
    with service.app() as connection, connection.transaction(caller.org):
        for table, id in ((IMPORT, young), (IMPORT, done), (EXPORT, export)):
            assert hold_overdue_job(connection, JobRef(table, caller.org, id)) is None


@pytest.mark.parametrize("table", [IMPORT, EXPORT])
def test_hold_locks_the_row_before_it_checks_the_jobs_lock(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    id = upload(service, caller) if table == IMPORT else job_id(asked(service, caller))
    make_past(service, table, id, created_at=86400)
    free = f"SELECT id FROM {table} WHERE id = :id FOR UPDATE SKIP LOCKED"  # noqa: S608

    def is_job_locked(*_: object) -> bool:
        with service.owner() as another:
            assert another.query(free, id=id) == [], "a run could claim the job after this check"
        return False

    monkeypatch.setattr(overdue_jobs, "is_job_locked", is_job_locked)
    with service.app() as connection, connection.transaction(caller.org):
        assert hold_overdue_job(connection, JobRef(table, caller.org, id)) is not None


def test_app_role_sees_ids_of_overdue_jobs_of_others_only(service: Service, caller: Caller) -> None:
    """The functions' role sees the table and the ids of other organisations' overdue jobs."""
    young, old = upload(service, caller), upload(service, caller)
    make_past(service, IMPORT, old, created_at=UPLOAD_GONE + 1)
    with service.app() as connection:
        for org in (None, "another"):
            with connection.transaction(org):
                seen = connection.query_dicts("SELECT * FROM overdue_jobs(1000)")
                assert {"job_table": IMPORT, "org_id": caller.org, "id": old} in seen
                assert {tuple(record) for record in seen} == {("job_table", "org_id", "id")}
                assert young not in [record["id"] for record in seen if record["job_table"] == IMPORT]
                assert connection.query("SELECT id FROM import_job WHERE id = :id", id=old) == []
                sql = "UPDATE import_job SET unattended_since = now() WHERE id = :id RETURNING id"
                assert connection.query(sql, id=old) == []
    expire(service)


def test_one_definer_function_exists_for_the_app_role_only(
    service: Service,
) -> None:
    with service.owner() as connection:
        definers = connection.query_dicts(
            "SELECT oid::regprocedure::text AS name, proconfig AS settings, "
            "has_function_privilege('public', oid, 'EXECUTE') AS public, "
            "has_function_privilege('leads_app', oid, 'EXECUTE') AS app "
            "FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        )
        assert definers == [
            {
                "name": "overdue_jobs(integer)",
                "settings": ["search_path=pg_catalog, pg_temp"],
                "public": False,
                "app": True,
            }
        ]
        connection.execute("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger")
        with connection.transaction():
            connection.execute("GRANT stranger TO CURRENT_USER; SET LOCAL ROLE stranger")
            with pytest.raises(DatabaseFault) as fault:
                connection.query("SELECT * FROM overdue_jobs(1)")
        connection.execute("DROP ROLE stranger")
    assert fault.value.sqlstate == "42501"
