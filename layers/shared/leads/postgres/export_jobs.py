"""The table export_job: every statement that reads or writes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

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

_BEYOND_ALL = 2**63 - 1

_SETTLED_WITHIN = "5s"
"""How long a COMMIT may still be under way whose connection is lost."""


@dataclass(frozen=True, slots=True)
class NewExportJob:
    """An export about to begin."""

    org_id: str
    filename: str
    order: ExportOrder
    created_by: str
    correlation_id: str | None = None


def create_export_job(connection: Connection, job: NewExportJob) -> ExportJob:
    """Records an export as PROCESSING."""
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
    """Makes an export that is PROCESSING PENDING, for a run of process_export."""
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
    """Records what the export took out, in the caller's transaction. Raises ServiceFault when its job has
    ended meanwhile.
    """
    records = connection.query_dicts(
        statement("export_job_complete"), id=id, org_id=org_id, row_count=row_count, size_bytes=size_bytes
    )
    if not records:
        raise ServiceFault(f"export {id} was ended by somebody else")
    return _job(records[0])


def fail_export_job(connection: Connection, org_id: str, id: int, code: FailureCode, reason: str) -> bool:
    """Ends a job in a transaction of its own, unless it has ended; whether it did."""
    with connection.transaction(org_id) as transaction:
        rows = connection.query(statement("export_job_fail"), id=id, org_id=org_id, code=code, reason=reason)
        transaction.commit()
    return bool(rows)


def record_export_progress(connection: Connection, org_id: str, id: int, row_count: int) -> None:
    """Shows how many rows a running export has written."""
    with connection.transaction(org_id) as transaction:
        connection.query(statement("export_job_progress"), id=id, org_id=org_id, row_count=row_count)
        transaction.commit()


def get_export_job(connection: Connection, org_id: str, id: int) -> ExportJob | None:
    """A job of the organisation, or None."""
    with connection.transaction(org_id):
        records = connection.query_dicts(statement("export_job_get"), id=id, org_id=org_id)
    return _job(records[0]) if records else None


def get_settled_export_job(connection: Connection, org_id: str, id: int) -> ExportJob | None:
    """A job of the organisation, or None, once a transaction that is about to change it has ended.

    Raises DatabaseFault when that takes too long.
    """
    with connection.transaction(org_id):
        connection.query("SELECT set_config('lock_timeout', :limit, true)", limit=_SETTLED_WITHIN)
        records = connection.query_dicts(f"{statement('export_job_get')} FOR UPDATE", id=id, org_id=org_id)
    return _job(records[0]) if records else None


def list_export_jobs(connection: Connection, org_id: str, page: JobPage) -> list[ExportJob]:
    """Return a page of the organisation's jobs, newest first. Raises DatabaseFault."""
    with connection.transaction(org_id):
        records = connection.query_dicts(
            statement("export_job_list"),
            org_id=org_id,
            limit=page.limit,
            before=_BEYOND_ALL if page.before is None else page.before,
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
