"""Acquire advisory locks: one per job, held by its run, and one per organisation, held by its import.

A job's lock is tried, never waited for. It is released with its connection, so a dead run leaves nothing
behind. An organisation's lock belongs to a transaction and is waited for in Postgres' own queue, which is
first come, first served.
"""

from typing import NamedTuple, cast

from leads.domain.job_ref import JobRef
from leads.errors import DatabaseFault, JobLocked, OrganisationBusy
from leads.postgres.connection import Connection
from leads.postgres.sqlstate import LOCK_NOT_AVAILABLE
from leads.postgres.statements import statement


def lock_job(connection: Connection, job: JobRef) -> None:
    """Lock a job for as long as the connection lives. Raises JobLocked if another run holds the lock."""
    if not connection.query_value("SELECT pg_try_advisory_lock(hashtextextended(:job, 0))", job=str(job)):
        raise JobLocked(f"another run has {job}")


def is_job_locked(connection: Connection, job: JobRef) -> bool:
    """Return True if a run holds the job's lock, without trying to lock it.

    A try would hold the lock for a moment, in which a delivery would take this program for a run.
    """
    return cast(bool, connection.query_value(statement("job_lock_held"), job=str(job)))


class SignsOfLife(NamedTuple):
    """A look at the run that holds a job's lock. If the holder or the progress changed, it is running."""

    holder: str | None
    """The connection's process id and the start of its last statement. None if the lock is free."""
    progress: int | None
    """The number of rows that the run has recorded."""
    waits: bool
    """The run waits for a lock, as imports do for those of their organisation."""


def signs_of_life(connection: Connection, job: JobRef) -> SignsOfLife:
    """Look at the run that holds a job's lock. Raises DatabaseFault."""
    with connection.transaction(job.org_id):
        (record,) = connection.query_dicts(
            statement("job_signs_of_life"), job=str(job), table=job.table, org_id=job.org_id, id=job.id
        )
    return SignsOfLife(
        cast("str | None", record["holder"]),
        cast("int | None", record["progress"]),
        cast(bool, record["waits"]),
    )


def try_lock(connection: Connection, org_id: str) -> bool:
    """Try to acquire the organisation's import lock for the transaction under way. Raises DatabaseFault.

    SKIP would create duplicates between two imports of one organisation that run at the same time.
    """
    return cast(
        bool,
        connection.query_value("SELECT pg_try_advisory_xact_lock(hashtextextended(:org, 1))", org=org_id),
    )


def wait_for_lock(connection: Connection, org_id: str, seconds: float) -> None:
    """Acquire the organisation's import lock when the imports that came before have released it.

    Raises:
        OrganisationBusy: The lock was not released within `seconds`.
        DatabaseFault: Postgres failed.
    """
    limit = str(max(1, int(seconds * 1000)))
    connection.query("SELECT set_config('lock_timeout', :limit, true)", limit=limit)
    try:
        connection.query("SELECT pg_advisory_xact_lock(hashtextextended(:org, 1))", org=org_id)
    except DatabaseFault as fault:
        if fault.sqlstate == LOCK_NOT_AVAILABLE:
            raise OrganisationBusy("other imports of the organisation were still running") from fault
        raise
