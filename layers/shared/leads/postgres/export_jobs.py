"""Read and write the table export_job. Every function raises DatabaseFault if Postgres fails."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from leads.domain.export_job import ExportJob, ExportOrder
from leads.domain.failure_code import FailureCode
from leads.domain.job_page import JobPage
from leads.domain.job_ref import JobRef
from leads.domain.job_status import JobStatus
from leads.domain.lead_filter import LeadFilter
from leads.errors import ServiceFault
from leads.postgres.connection import Connection
from leads.postgres.locks import lock_job
from leads.postgres.statements import statement

if TYPE_CHECKING:
    from datetime import datetime

_COMMIT_TIMEOUT: Final = "5s"
"""Time for a COMMIT that is still under way although its connection is lost."""


@dataclass(frozen=True, slots=True)
class NewExportJob:
    """An export that has no job yet."""

    org_id: str
    filename: str
    order: ExportOrder
    created_by: str
    correlation_id: str | None = None


def create_export_job(connection: Connection, job: NewExportJob) -> ExportJob:
    """Record an export as PROCESSING and return its job."""
    with connection.transaction(job.org_id) as transaction:
        (record,) = connection.query_dicts(
            statement("export_job_create"),
            org_id=job.org_id,
            filename=job.filename,
            filters=json.dumps(job.order.leads.as_recorded()),
            columns=json.dumps(job.order.columns),
            excel=job.order.excel,
            gzip=job.order.gzip,
            created_by=job.created_by,
            correlation_id=job.correlation_id,
        )
        transaction.commit()
    return _job(record)


def hand_over_export_job(connection: Connection, org_id: str, id: int) -> ExportJob:
    """Set a PROCESSING export to PENDING, for a run of process_export."""
    with connection.transaction(org_id) as transaction:
        (record,) = connection.query_dicts(statement("export_job_hand_over"), id=id, org_id=org_id)
        transaction.commit()
    return _job(record)


def claim_export_job(
    connection: Connection, job: JobRef, *, request_version: str, again: bool = False
) -> int | None:
    """Claim a job for one version of its request and return its attempts so far, this one included.

    Return None if it has ended, or has another request. `again` marks the same run's second try, which counts
    as no further attempt.

    Raises:
        JobLocked: Another run holds the job's lock.
        DatabaseFault: Postgres failed.
    """
    lock_job(connection, job)
    with connection.transaction(job.org_id) as transaction:
        attempts = connection.query_value(
            statement("export_job_claim"),
            id=job.id,
            org_id=job.org_id,
            request_version=request_version,
            counted=0 if again else 1,
        )
        transaction.commit()
    return cast("int | None", attempts)


def complete_export_job(
    connection: Connection, org_id: str, id: int, *, row_count: int, size_bytes: int
) -> ExportJob:
    """Complete an export in the transaction under way, and return its job.

    Raises ServiceFault if another program has ended the job.
    """
    records = connection.query_dicts(
        statement("export_job_complete"), id=id, org_id=org_id, row_count=row_count, size_bytes=size_bytes
    )
    if not records:
        raise ServiceFault(f"export {id} was ended by another program")
    return _job(records[0])


def fail_export_job(connection: Connection, org_id: str, id: int, code: FailureCode, reason: str) -> bool:
    """End a job as FAILED in a transaction of its own. Return False if it had ended before."""
    with connection.transaction(org_id) as transaction:
        rows = connection.query(statement("export_job_fail"), id=id, org_id=org_id, code=code, reason=reason)
        transaction.commit()
    return bool(rows)


def record_export_progress(connection: Connection, org_id: str, id: int, row_count: int) -> None:
    """Record the number of rows that a running export has written."""
    with connection.transaction(org_id) as transaction:
        connection.query(statement("export_job_progress"), id=id, org_id=org_id, row_count=row_count)
        transaction.commit()


def get_export_job(connection: Connection, org_id: str, id: int) -> ExportJob | None:
    """Return a job of the organisation, or None if there is none."""
    with connection.transaction(org_id):
        records = connection.query_dicts(statement("export_job_get"), id=id, org_id=org_id)
    return _job(records[0]) if records else None


def get_settled_export_job(connection: Connection, org_id: str, id: int) -> ExportJob | None:
    """Return a job of the organisation, or None, after any transaction that is changing it has ended.

    Raises DatabaseFault if that transaction does not end within _COMMIT_TIMEOUT.
    """
    with connection.transaction(org_id):
        connection.query("SELECT set_config('lock_timeout', :timeout, true)", timeout=_COMMIT_TIMEOUT)
        records = connection.query_dicts(f"{statement('export_job_get')} FOR UPDATE", id=id, org_id=org_id)
    return _job(records[0]) if records else None


def list_export_jobs(connection: Connection, org_id: str, page: JobPage) -> list[ExportJob]:
    """Return a page of the organisation's jobs, newest first."""
    with connection.transaction(org_id):
        records = connection.query_dicts(
            statement("export_job_list"),
            org_id=org_id,
            limit=page.limit,
            before=page.id_bound,
            status=page.status,
        )
    return [_job(record) for record in records]


def _job(record: dict[str, object]) -> ExportJob:
    code = cast("str | None", record["failure_code"])
    order = ExportOrder(
        leads=LeadFilter.from_recorded(cast("Mapping[str, str]", record["filters"])),
        columns=tuple(cast("list[str]", record["columns"])),
        excel=cast(bool, record["excel"]),
        gzip=cast(bool, record["gzip"]),
    )
    return ExportJob(
        id=cast(int, record["id"]),
        org_id=cast(str, record["org_id"]),
        filename=cast(str, record["filename"]),
        order=order,
        status=JobStatus(cast(str, record["status"])),
        row_count=cast(int, record["row_count"]),
        size_bytes=cast(int, record["size_bytes"]),
        failure_code=FailureCode(code) if code else None,
        failure_reason=cast("str | None", record["failure_reason"]),
        created_at=cast("datetime", record["created_at"]),
        created_by=cast(str, record["created_by"]),
        started_at=cast("datetime | None", record["started_at"]),
        finished_at=cast("datetime | None", record["finished_at"]),
        correlation_id=cast("str | None", record["correlation_id"]),
    )
