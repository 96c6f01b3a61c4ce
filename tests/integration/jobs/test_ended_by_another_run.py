"""Check that only the run that has locked a job ends it, and no run whose connection is lost."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from leads.domain.failure_code import FailureCode
from leads.errors import DatabaseFault, ServiceFault
from leads.jobs import claim
from leads.jobs.outcome import COMPLETED, IGNORED, MAX_ATTEMPTS
from leads.postgres.connection import Connection
from leads.postgres.export import copy_leads
from leads.postgres.import_jobs import fail_import_job
from leads.postgres.staging import Staging
from leads.s3.events import StoredFile
from leads.use_cases import export_file
from tests.support.exports import asked, export_of, run_export, store
from tests.support.imports import job_of, posted, run_import
from tests.support.service import Caller, Service

CSV = b"name,phone,source\nA,0612345678,web\n"
REMAINING_SECONDS = 30
"""Too few seconds for a second try."""


@pytest.fixture(autouse=True)
def short_release_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "RELEASE_SECONDS", 0.5)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def last_attempt_next(service: Service, table: str, caller: Caller) -> None:
    with service.owner() as owner:
        owner.query(
            f"UPDATE {table} SET attempts = :n WHERE org_id = :org",  # noqa: S608
            n=MAX_ATTEMPTS - 1,
            org=caller.org,
        )


class Succession:
    """Lose the first run's connection and its job to a second run, which ends it when `may_end` is set."""

    def __init__(self, threads: ThreadPoolExecutor, work: Any, second: Any) -> None:
        self.may_end = threading.Event()
        self.second: Future[Any] | None = None
        self._threads = threads
        self._work = work
        self._run_second = second
        self._second_runs = threading.Event()

    def __call__(self, connection: Connection, *arguments: Any) -> Any:
        if self.second is None:
            connection.close()
            self.second = self._threads.submit(self._run_second)
            assert self._second_runs.wait(20)
            raise DatabaseFault(None)
        self._second_runs.set()
        assert self.may_end.wait(20)
        return self._work(connection, *arguments)


def test_import_whose_job_another_run_claimed_does_not_end_it(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, threads: ThreadPoolExecutor
) -> None:
    """The run was the last attempt and would fail the job, but the other run completes it."""
    file = posted(service, caller, CSV)
    last_attempt_next(service, "import_job", caller)
    merge = Staging.merge
    runs = Succession(
        threads,
        lambda _, *arguments: merge(*arguments),
        lambda: run_import(service, file, seconds=REMAINING_SECONDS),
    )
    monkeypatch.setattr(Staging, "merge", lambda staging, hints: runs(staging._connection, staging, hints))
    with pytest.raises(DatabaseFault):
        run_import(service, file, seconds=REMAINING_SECONDS)
    assert job_of(service, caller, file)["status"] == "PROCESSING"
    runs.may_end.set()
    assert runs.second is not None
    assert runs.second.result(20).ended == COMPLETED
    assert (job_of(service, caller, file)["status"], len(service.leads(caller))) == ("COMPLETED", 1)


def test_export_whose_job_another_run_claimed_does_not_end_it(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, threads: ThreadPoolExecutor
) -> None:
    """The run was the last attempt and would fail the job, but the other run completes it."""
    store(service, caller, name="Ana")
    request = asked(service, caller)
    last_attempt_next(service, "export_job", caller)
    runs = Succession(threads, copy_leads, lambda: run_export(service, request, seconds=REMAINING_SECONDS))
    monkeypatch.setattr(export_file, "copy_leads", runs)
    with pytest.raises(DatabaseFault):
        run_export(service, request, seconds=REMAINING_SECONDS)
    assert export_of(service, caller, request)["status"] == "PROCESSING"
    runs.may_end.set()
    assert runs.second is not None
    assert runs.second.result(20).ended == COMPLETED
    assert export_of(service, caller, request)["status"] == "COMPLETED"


def fail_meanwhile(service: Service, caller: Caller, file: StoredFile, code: FailureCode) -> bool:
    with service.app() as connection:
        return fail_import_job(connection, caller.org, int(file.key.split("/")[2]), code, "ended")


def test_import_whose_job_was_ended_meanwhile_stores_no_lead(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posted(service, caller, CSV)

    merge = Staging.merge

    def end_first(*arguments: Any) -> list[int]:
        # A request does this when S3 did not confirm that it stored the file.
        assert fail_meanwhile(service, caller, file, FailureCode.NOT_STORED)
        return merge(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Staging, "merge", end_first)
        with pytest.raises(ServiceFault, match="ended by another program"):
            run_import(service, file)
    assert (job_of(service, caller, file)["status"], service.leads(caller)) == ("FAILED", [])
    assert run_import(service, file).ended == IGNORED
    assert service.leads(caller) == []


def test_job_that_has_ended_is_not_ended_again(service: Service, caller: Caller) -> None:
    file = posted(service, caller, CSV)
    assert run_import(service, file).ended == COMPLETED
    assert not fail_meanwhile(service, caller, file, FailureCode.INTERNAL)
    assert job_of(service, caller, file)["status"] == "COMPLETED"
