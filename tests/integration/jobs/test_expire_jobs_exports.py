"""Check expire_jobs with exports: those that were handed over, and those whose caller waited."""

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
"""Seconds after which no run that answers its caller is alive: its time is 29 s."""


def test_export_whose_every_run_died_is_failed_until_a_redrive(service: Service, caller: Caller) -> None:
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


def test_export_whose_event_is_gone_is_failed(service: Service, caller: Caller) -> None:
    pending, started = asked(service, caller), asked(service, caller)
    claimed_exports(service, caller, started, 1)
    ids = [job_id(pending), job_id(started)]
    for id in ids:
        make_past(service, EXPORT, id, created_at=EVENT_GONE - 120)
    # Only a claimed job may have a run that is about to try once more.
    unattended(service, EXPORT, ids[1])
    expire(service)
    assert [how_it_ended(service, EXPORT, id)[0] for id in ids] == ["PENDING", "PROCESSING"]

    for id in ids:
        make_past(service, EXPORT, id, created_at=EVENT_GONE)
    expire(service)
    assert [how_it_ended(service, EXPORT, id) for id in ids] == [("FAILED", "INTERNAL")] * 2
    for request in (pending, started):
        announce_export(service, request)
        assert export_of(service, caller, request)["status"] == "COMPLETED"


def test_export_whose_run_is_alive_is_not_changed(service: Service, caller: Caller) -> None:
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
    """Return an export whose run died while it answered its caller."""
    order = ExportOrder()
    new = NewExportJob(caller.org, order.filename(datetime.now(UTC)), order, created_by=caller.user)
    return create_export_job(connection, new).id


def test_export_with_waiting_caller_fails_after_its_timeout(service: Service, caller: Caller) -> None:
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
    assert run_export(service, request).ended == IGNORED, "the caller was asked to request it again"


def test_export_that_was_handed_over_late_waits_for_its_event(service: Service, caller: Caller) -> None:
    request = asked(service, caller)
    make_past(service, EXPORT, job_id(request), created_at=NEVER_ALIVE)
    expire(service)
    assert export_of(service, caller, request)["status"] == "PENDING"
