"""Takes leads out: records who asked for what, then streams it while the caller waits or hands it over.

Also shows an organisation its exports.
"""

from contextlib import suppress
from datetime import datetime
from typing import Final

from leads.domain.export_job import ExportJob, ExportOrder
from leads.domain.failure_code import FailureCode
from leads.domain.job_status import JobStatus
from leads.domain.principal import Principal, Role
from leads.errors import DatabaseFault, ExportTooLong, Forbidden, NotFound
from leads.jobs.views import ExportView, view_export
from leads.observability import bind_job, correlation_id, increment
from leads.postgres.connection import ANSWER_TIMEOUT_SECONDS, Connection, Database
from leads.postgres.export_jobs import (
    NewExportJob,
    create_export_job,
    fail_export_job,
    get_export_job,
    hand_over_export_job,
    list_export_jobs,
)
from leads.s3.bucket import Bucket
from leads.s3.keys import export_request_key
from leads.use_cases.export_file import OUR_FAULT, export_file

_MARGIN: Final = 3.0
"""Seconds beyond those that the caller waits, in which Postgres must answer: 20 of the 29 that there are."""


def export_leads(
    principal: Principal,
    order: ExportOrder,
    *,
    wait: float,
    database: Database,
    bucket: Bucket,
    now: datetime,
) -> ExportView:
    """Records the export and gives it COMPLETED, or PENDING when it takes longer than `wait` seconds: then
    process_export makes the file. No lead is a file with a header line.

    Raises ServiceFault; then the export is FAILED, and nothing of it is in the bucket.
    """
    new = NewExportJob(
        principal.org_id,
        order.filename(now),
        order,
        created_by=principal.user,
        correlation_id=correlation_id(),
    )
    # Longer than the limit of its statement, which comes first unless the connection hangs.
    with database.connect(timeout=wait + _MARGIN) as connection:
        job = create_export_job(connection, new)
        bind_job("export_job", job.id)
        try:
            done = _export(connection, job, wait, database, bucket)
        except Exception:
            # What failed first must be told. The connection at hand may be dead. Not INTERNAL, which would be
            # tried again if S3 had stored the request after all: its caller was told that it failed.
            with suppress(DatabaseFault), database.connect(timeout=_MARGIN) as another:
                if fail_export_job(another, job.org_id, job.id, FailureCode.NOT_STORED, OUR_FAULT):
                    increment("ExportsFailed")
            raise
    return view_export(done, bucket)


def get_export(principal: Principal, id: int, *, database: Database, bucket: Bucket) -> ExportView:
    """One export. Raises NotFound, for another organisation's too, and DatabaseFault."""
    bind_job("export_job", id)
    with database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        job = get_export_job(connection, principal.org_id, id)
    if job is None:
        raise NotFound(f"There is no export {id}.")
    return view_export(job, bucket)


def list_exports(
    principal: Principal, *, database: Database, limit: int, before: int | None, status: JobStatus | None
) -> tuple[list[ExportJob], int | None]:
    """At most `limit` exports, newest first, with ids below `before`; and the `before` of the next page if
    there is one.

    Raises Forbidden unless the caller is an ADMIN, DatabaseFault.
    """
    if principal.role is not Role.ADMIN:
        raise Forbidden("Who exported what is shown to the role ADMIN. Ask your administrator.")
    with database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        jobs = list_export_jobs(connection, principal.org_id, limit=limit + 1, before=before, status=status)
    page = jobs[:limit]
    return page, page[-1].id if len(jobs) > limit else None


def _export(
    connection: Connection, job: ExportJob, wait: float, database: Database, bucket: Bucket
) -> ExportJob:
    """Within `wait` seconds, or by process_export."""
    if wait:
        try:
            return export_file(connection, job, database=database, bucket=bucket, seconds=wait)
        except ExportTooLong:
            # A COPY that is given up takes its connection with it.
            with database.connect(timeout=_MARGIN) as another:
                return _hand_over(another, job, bucket)
    return _hand_over(connection, job, bucket)


def _hand_over(connection: Connection, job: ExportJob, bucket: Bucket) -> ExportJob:
    waiting = hand_over_export_job(connection, job.org_id, job.id)
    # The event that this makes finds a job that may be claimed.
    bucket.put(export_request_key(job.org_id, job.id), b"{}", "application/json")
    return waiting
