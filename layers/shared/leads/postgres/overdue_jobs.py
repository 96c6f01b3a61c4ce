"""Find the overdue jobs of both tables, which no event will end, and end one of them.

Migration 0008 defines them. Nothing here acquires a job's lock, because a delivery at that moment would take
this program for a run. A claim and an end exclude each other by the job's row instead.

Every function raises DatabaseFault if Postgres fails.
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
    """The part of a job that is overdue."""

    UPLOAD = "upload"
    """The file: no event has announced it."""
    IMPORT = "import"
    EXPORT = "export"
    DIRECT_EXPORT = "direct_export"
    """The run that answers its caller, which has no event."""


class HeldJob(NamedTuple):
    """An overdue job without a run. Its row is locked until the transaction ends."""

    kind: OverdueKind
    object_key: str | None
    """The key of the file to import, once it is known."""
    correlation_id: str | None


def find_overdue_jobs(connection: Connection, max_jobs: int) -> list[JobRef]:
    """Return up to `max_jobs` overdue jobs of all organisations, in random order."""
    rows = connection.query(
        "SELECT job_table, org_id, id FROM overdue_jobs(CAST(:max_jobs AS integer))", max_jobs=max_jobs
    )
    return [JobRef(*cast("tuple[str, str, int]", row)) for row in rows]


def hold_overdue_job(connection: Connection, job: JobRef) -> HeldJob | None:
    """Lock a job's row in its organisation's transaction under way.

    Return None if the job is not overdue any more, or a run holds its lock.
    """
    records = connection.query_dicts(statement(f"{job.table}_hold_overdue"), id=job.id, org_id=job.org_id)
    # This must be a second statement: only a look after the row is locked sees every run that could claim it.
    if not records or is_job_locked(connection, job):
        return None
    (record,) = records
    return HeldJob(
        OverdueKind(cast(str, record["kind"])),
        cast("str | None", record["object_key"]),
        cast("str | None", record["correlation_id"]),
    )


def is_event_gone(connection: Connection, stored_at: datetime) -> bool:
    """Return True if the event of an object that was stored then will not be delivered any more."""
    return cast(
        bool,
        connection.query_value("SELECT event_gone(CAST(:stored_at AS timestamptz))", stored_at=stored_at),
    )


def is_long_unattended(connection: Connection, job: JobRef) -> bool:
    """Return True if a held job had no run a minute ago either. Otherwise record this look."""
    return cast(
        bool, connection.query_value(statement(f"{job.table}_unattended"), id=job.id, org_id=job.org_id)
    )


def fail_held_job(connection: Connection, job: JobRef, code: FailureCode, reason: str) -> None:
    """End a held job as FAILED, in the transaction under way."""
    connection.query(statement(f"{job.table}_fail"), id=job.id, org_id=job.org_id, code=code, reason=reason)
