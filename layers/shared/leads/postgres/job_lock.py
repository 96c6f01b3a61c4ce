"""Which run works on a job: a lock that is tried, never waited for, and dies with its connection, so a run
that died leaves nothing behind.
"""

from leads.errors import JobTaken
from leads.postgres.connection import Connection


def lock_job(connection: Connection, table: str, id: int) -> None:
    """Takes a job of this table for as long as the connection lives. Raises JobTaken when another run has
    it.
    """
    name = f"{table} {id}"
    if not connection.value("SELECT pg_try_advisory_lock(hashtextextended(:job, 0))", job=name):
        raise JobTaken(f"another run has {name}")
