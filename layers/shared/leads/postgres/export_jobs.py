"""The table export_job: who took which leads out of the house, and when."""

import json
from dataclasses import dataclass
from typing import cast

from leads.domain.lead_filter import LeadFilter
from leads.postgres.connection import Connection
from leads.postgres.statements import statement


@dataclass(frozen=True, slots=True)
class NewExportJob:
    """An export about to begin."""

    org_id: str
    filename: str
    leads: LeadFilter
    columns: tuple[str, ...]
    created_by: str


def create_export_job(connection: Connection, job: NewExportJob) -> int:
    """Records an export as PROCESSING and gives its id."""
    with connection.transaction(job.org_id) as transaction:
        id = connection.value(
            statement("export_job_create"),
            org_id=job.org_id,
            filename=job.filename,
            filters=json.dumps(job.leads.as_recorded()),
            columns=json.dumps(job.columns),
            created_by=job.created_by,
        )
        transaction.commit()
    return cast(int, id)


def complete_export_job(
    connection: Connection, org_id: str, id: int, *, row_count: int, size_bytes: int
) -> None:
    """Records what the export took out, in the caller's transaction."""
    connection.rows(
        statement("export_job_complete"), id=id, org_id=org_id, row_count=row_count, size_bytes=size_bytes
    )


def fail_export_job(connection: Connection, org_id: str, id: int, reason: str) -> None:
    """Records that the export came to nothing."""
    with connection.transaction(org_id) as transaction:
        connection.rows(statement("export_job_fail"), id=id, org_id=org_id, reason=reason)
        transaction.commit()
