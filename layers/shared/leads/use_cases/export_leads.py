"""Record who exports what, then stream the file while the caller waits, or hand the export over.

It also returns an organisation's exports.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from leads.domain.export_job import ExportJob, ExportOrder
from leads.domain.failure_code import FailureCode
from leads.domain.job_page import JobPage
from leads.domain.principal import Principal, Role
from leads.errors import DatabaseFault, ExportTooLong, Forbidden, NotFound
from leads.jobs.stores import Stores
from leads.jobs.views import ExportView, view_export
from leads.observability import bind_job, correlation_id, increment
from leads.postgres.connection import ANSWER_TIMEOUT_SECONDS, Connection
from leads.postgres.export_jobs import (
    NewExportJob,
    create_export_job,
    fail_export_job,
    get_export_job,
    hand_over_export_job,
    list_export_jobs,
)
from leads.s3.keys import export_request_key
from leads.use_cases.export_file import INTERNAL_FAULT, export_file

_MARGIN_SECONDS: Final = 3.0
"""Time beyond the caller's wait in which Postgres must answer: 20 of the API's 29 s are for the wait."""


def export_leads(principal: Principal, order: ExportOrder, stores: Stores, *, wait: float) -> ExportView:
    """Record the export and return it COMPLETED, or PENDING if it takes longer than `wait` seconds.

    process_export makes the file of a PENDING one. An export without leads is a file with a header line.

    Raises ServiceFault: then the export is FAILED, and nothing of it is in the bucket.
    """
    new = NewExportJob(
        principal.org_id,
        order.filename(datetime.now(UTC)),
        order,
        created_by=principal.user,
        correlation_id=correlation_id(),
    )
    # Longer than the limit of the statement, which ends first unless the connection hangs.
    with stores.database.connect(timeout=wait + _MARGIN_SECONDS) as connection:
        job = create_export_job(connection, new)
        bind_job("export_job", job.id)
        try:
            done = _export(connection, job, stores, wait)
        except Exception:
            # The first error must be raised. The connection at hand may be dead. The code is not INTERNAL,
            # which a delivery would retry if S3 had stored the request after all: the caller knows that
            # the export failed.
            with suppress(DatabaseFault), stores.database.connect(timeout=_MARGIN_SECONDS) as another:
                if fail_export_job(another, job.org_id, job.id, FailureCode.NOT_STORED, INTERNAL_FAULT):
                    increment("ExportsFailed")
            raise
    return view_export(done, stores.bucket)


def get_export(principal: Principal, id: int, stores: Stores) -> ExportView:
    """Return one export of the caller's organisation.

    Raises:
        NotFound: The organisation has no such export.
        DatabaseFault: Postgres failed.
    """
    bind_job("export_job", id)
    with stores.database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        job = get_export_job(connection, principal.org_id, id)
    if job is None:
        raise NotFound(f"There is no export {id}.")
    return view_export(job, stores.bucket)


def list_exports(principal: Principal, page: JobPage, stores: Stores) -> tuple[list[ExportJob], int | None]:
    """Return a page of exports, and the `before` of the next page if there is one.

    Raises:
        Forbidden: The caller is no ADMIN.
        DatabaseFault: Postgres failed.
    """
    if principal.role is not Role.ADMIN:
        raise Forbidden("Only the role ADMIN may see who exported what. Ask your administrator.")
    with stores.database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        jobs = list_export_jobs(connection, principal.org_id, page.with_one_more())
    return page.cut(jobs)


def _export(connection: Connection, job: ExportJob, stores: Stores, wait: float) -> ExportJob:
    """Export within `wait` seconds, or hand the job over to process_export."""
    if wait:
        try:
            return export_file(connection, job, stores, seconds=wait)
        except ExportTooLong:
            # A COPY that is given up closes its connection.
            with stores.database.connect(timeout=_MARGIN_SECONDS) as another:
                return _hand_over(another, job, stores)
    return _hand_over(connection, job, stores)


def _hand_over(connection: Connection, job: ExportJob, stores: Stores) -> ExportJob:
    pending = hand_over_export_job(connection, job.org_id, job.id)
    # The request's event must find a job that may be claimed, so the request is stored after the commit.
    stores.bucket.put(export_request_key(job.org_id, job.id), b"{}", "application/json")
    return pending
