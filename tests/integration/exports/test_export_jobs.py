"""Change one row of export_job in two transactions."""

import threading

import pytest

from leads.domain.failure_code import FailureCode
from leads.domain.job_status import JobStatus
from leads.errors import ServiceFault
from leads.postgres.export import copy_leads
from leads.postgres.export_jobs import complete_export_job, fail_export_job, get_settled_export_job
from leads.use_cases import export_file as module
from tests.support.exports import asked, export_of, job_id, nothing_is_left, run_export, store
from tests.support.service import Caller, Service
from tests.support.waiting import wait_until


def test_running_commit_of_an_export_is_waited_for(service: Service, caller: Caller) -> None:
    request = asked(service, caller)
    id = job_id(request)
    found: list[JobStatus] = []

    def look() -> None:
        with service.app() as connection:
            job = get_settled_export_job(connection, caller.org, id)
            found.append(job.status if job else JobStatus.FAILED)

    with service.owner() as ending:
        with ending.transaction(caller.org) as transaction:
            ending.query("UPDATE export_job SET status = 'PROCESSING' WHERE id = :id", id=id)
            complete_export_job(ending, caller.org, id, row_count=1, size_bytes=1)
            looking = threading.Thread(target=look)
            looking.start()
            blocked = "SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid))"
            pid = ending.query_value("SELECT pg_backend_pid()")
            with service.owner() as watching:
                wait_until(lambda: watching.query_value(blocked, pid=pid) or found)
            assert found == [], "it did not wait"
            transaction.commit()
        looking.join(20)
    assert found == [JobStatus.COMPLETED]


def test_export_ended_by_another_run_has_no_file(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller)
    request = asked(service, caller)

    def end_meanwhile(*arguments: object) -> int:
        rows = copy_leads(*arguments)  # type: ignore[arg-type]
        with service.app() as another:
            fail_export_job(another, caller.org, job_id(request), FailureCode.INTERNAL, "ended")
        return rows

    with monkeypatch.context() as patched:
        patched.setattr(module, "copy_leads", end_meanwhile)
        with pytest.raises(ServiceFault, match="ended by another program"):
            run_export(service, request)
    nothing_is_left(service, caller)
    assert export_of(service, caller, request)["status"] == "FAILED"
