"""expire_jobs and exports: those that were handed over, and those whose caller waited."""

from datetime import UTC, datetime

from leads.domain.export_job import ExportOrder
from leads.domain.job_ref import export_ref
from leads.jobs.outcome import IGNORED, MAX_ATTEMPTS
from leads.postgres.connection import Connection
from leads.postgres.export_jobs import NewExportJob, claim_export_job, create_export_job
from tests.support.expiry import (
    EVENT_GONE,
    EXPORT,
    claimed_exports,
    expire,
    how_it_ended,
    make_past,
    stored_job,
    unattended,
)
from tests.support.exports import announce_export, asked, export_of, exported, job_id, run_export, store
from tests.support.service import Caller, Service

NEVER_ALIVE = 301
"""Seconds after which no run that answers its caller is left; its time is 29 s."""


def test_an_export_that_broke_off_every_time_is_ended_and_a_redrive_completes_it(
    service: Service, caller: Caller
) -> None:
    store(service, caller)
    request = asked(service, caller)
    id = job_id(request)
    claimed_exports(service, caller, request, MAX_ATTEMPTS - 1)
    unattended(service, EXPORT, id)
    expire(service)
    assert how_it_ended(service, EXPORT, id) == ("PROCESSING", None)

    claimed_exports(service, caller, request, 1)
    expire(service)
    assert how_it_ended(service, EXPORT, id) == ("PROCESSING", None)
    unattended(service, EXPORT, id)
    expire(service)
    assert how_it_ended(service, EXPORT, id) == ("FAILED", "INTERNAL")
    assert "Ask for it again" in export_of(service, caller, request)["failureReason"]

    announce_export(service, request)
    assert exported(export_of(service, caller, request)).count(b"\n") == 2


def test_an_export_whose_event_is_gone_is_ended(service: Service, caller: Caller) -> None:
    pending, begun = asked(service, caller), asked(service, caller)
    claimed_exports(service, caller, begun, 1)
    ids = [job_id(pending), job_id(begun)]
    for id in ids:
        make_past(service, EXPORT, id, created_at=EVENT_GONE - 120)
    # Only what a run has claimed may have one that is about to try once more.
    unattended(service, EXPORT, ids[1])
    expire(service)
    assert [how_it_ended(service, EXPORT, id)[0] for id in ids] == ["PENDING", "PROCESSING"]

    for id in ids:
        make_past(service, EXPORT, id, created_at=EVENT_GONE)
    expire(service)
    assert [how_it_ended(service, EXPORT, id) for id in ids] == [("FAILED", "INTERNAL")] * 2
    for request in (pending, begun):
        announce_export(service, request)
        assert export_of(service, caller, request)["status"] == "COMPLETED"


def test_an_export_whose_run_is_alive_is_never_touched(service: Service, caller: Caller) -> None:
    request = asked(service, caller)
    id = job_id(request)
    claimed_exports(service, caller, request, MAX_ATTEMPTS - 1)
    with service.app() as run:
        assert (
            claim_export_job(run, export_ref(caller.org, id), request_version=request.version) == MAX_ATTEMPTS
        )
        unattended(service, EXPORT, id)
        make_past(service, EXPORT, id, created_at=86400)
        before = stored_job(service, EXPORT, id)
        expire(service)
        assert stored_job(service, EXPORT, id) == before


def direct_export(connection: Connection, caller: Caller) -> int:
    """An export whose run began to answer its caller and died."""
    order = ExportOrder()
    new = NewExportJob(caller.org, order.filename(datetime.now(UTC)), order, created_by=caller.user)
    return create_export_job(connection, new).id


def test_an_export_whose_caller_waited_is_ended_once_its_run_cannot_be_alive(
    service: Service, caller: Caller
) -> None:
    with service.app() as connection:
        id = direct_export(connection, caller)
    (timeout,) = (one.timeout for one in service.template.functions if one.code.name == "export_leads")
    make_past(service, EXPORT, id, created_at=timeout)
    expire(service)
    assert how_it_ended(service, EXPORT, id) == ("PROCESSING", None)

    make_past(service, EXPORT, id, created_at=NEVER_ALIVE)
    expire(service)
    assert how_it_ended(service, EXPORT, id) == ("FAILED", "NOT_STORED")
    request = service.put(f"export-requests/{caller.org}/{id}.json", b"{}")
    assert run_export(service, request).ended == IGNORED, "it was told to ask again"


def test_an_export_that_was_handed_over_late_waits_for_its_event(service: Service, caller: Caller) -> None:
    request = asked(service, caller)
    make_past(service, EXPORT, job_id(request), created_at=NEVER_ALIVE)
    expire(service)
    assert export_of(service, caller, request)["status"] == "PENDING"
