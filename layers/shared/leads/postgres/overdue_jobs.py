"""The jobs of both tables that nobody else will end: where they are, and how one of them is ended.

Migration 0008 says which these are. Nothing here takes a job's lock, which would turn away an event that
comes just then; a claim and an end exclude each other by the job's row.
"""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, cast

from leads.domain.failure_code import FailureCode
from leads.domain.job_ref import JobRef
from leads.postgres.connection import Connection
from leads.postgres.locks import is_job_locked
from leads.postgres.statements import statement


class OverdueKind(StrEnum):
    """What of a job is overdue."""

    UPLOAD = "upload"
    """A file that nobody has announced."""
    IMPORT = "import"
    EXPORT = "export"
    DIRECT_EXPORT = "direct_export"
    """The run that answers its caller."""


class HeldJob(NamedTuple):
    """An overdue job without a run, held until the transaction ends."""

    kind: OverdueKind
    object_key: str | None
    """Of the file that is being imported, once that is known."""
    correlation_id: str | None


def find_overdue_jobs(connection: Connection, max_jobs: int) -> list[JobRef]:
    """As many overdue jobs of all organisations, any of them. Raises DatabaseFault."""
    rows = connection.query(
        "SELECT job_table, org_id, id FROM overdue_jobs(CAST(:max_jobs AS integer))", max_jobs=max_jobs
    )
    return [JobRef(*cast("tuple[str, str, int]", row)) for row in rows]


def hold_overdue_job(connection: Connection, job: JobRef) -> HeldJob | None:
    """Holds a job in the organisation's transaction that is under way; None when it is overdue no more, or a
    run is at work on it.
    """
    records = connection.query_dicts(statement(f"{job.table}_hold_overdue"), id=job.id, org_id=job.org_id)
    # Not in one statement: only a look that comes after the row is held sees every run that has it or may.
    if not records or is_job_locked(connection, job):
        return None
    (record,) = records
    return HeldJob(
        OverdueKind(cast(str, record["kind"])),
        cast("str | None", record["object_key"]),
        cast("str | None", record["correlation_id"]),
    )


def is_event_gone(connection: Connection, stored_at: datetime) -> bool:
    """Whether the event of an object that was stored then is delivered no more."""
    return cast(
        bool,
        connection.query_value("SELECT event_gone(CAST(:stored_at AS timestamptz))", stored_at=stored_at),
    )


def is_long_unattended(connection: Connection, job: JobRef) -> bool:
    """Whether no run was seen at a held job a minute ago either; else that is remembered."""
    return cast(
        bool, connection.query_value(statement(f"{job.table}_unattended"), id=job.id, org_id=job.org_id)
    )


def fail_held_job(connection: Connection, job: JobRef, code: FailureCode, reason: str) -> None:
    """Ends a held job, in the transaction that is under way."""
    connection.query(statement(f"{job.table}_fail"), id=job.id, org_id=job.org_id, code=code, reason=reason)
