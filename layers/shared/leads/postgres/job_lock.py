"""Which run works on a job: a lock that is tried, never waited for, and dies with its connection, so a run
that died leaves nothing behind.
"""

from typing import NamedTuple, cast

from leads.errors import JobLocked
from leads.postgres.connection import Connection
from leads.postgres.statements import statement


def lock_job(connection: Connection, table: str, id: int) -> None:
    """Takes a job of this table for as long as the connection lives. Raises JobLocked when another run has
    it.
    """
    name = _name(table, id)
    if not connection.query_value("SELECT pg_try_advisory_lock(hashtextextended(:job, 0))", job=name):
        raise JobLocked(f"another run has {name}")


def is_job_locked(connection: Connection, table: str, id: int) -> bool:
    """Whether a run works on a job, asked without taking its lock: an event that came just then would take us
    for such a run and be ignored.
    """
    return cast(bool, connection.query_value(statement("job_lock_held"), job=_name(table, id)))


class SignsOfLife(NamedTuple):
    """Of the run that has a job. When its holder or its progress change it was at work in between."""

    holder: str | None
    """Its connection, and when that was last asked for something; None when nobody has the job."""
    progress: int | None
    """Rows that it has shown."""
    waits: bool
    """Whether it waits for a lock, as imports do for those of their organisation."""


def signs_of_life(connection: Connection, table: str, org_id: str, id: int) -> SignsOfLife:
    """What can be seen now of a job's run. Raises DatabaseFault."""
    with connection.transaction(org_id):
        (record,) = connection.query_dicts(
            statement(f"{table}_signs_of_life"), job=_name(table, id), org_id=org_id, id=id
        )
    return SignsOfLife(
        cast("str | None", record["holder"]),
        cast("int | None", record["progress"]),
        cast(bool, record["waits"]),
    )


def _name(table: str, id: int) -> str:
    return f"{table} {id}"
