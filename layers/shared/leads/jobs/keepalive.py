"""Waiting for S3 within a transaction of Postgres'.

Postgres ends a transaction that idles for 55 s, and who finds a job taken holds its run for dead after a
minute without a word (taken_job.py). S3 may take longer than both without ever failing: a report or an export
that ends waits for its last parts and then for their end, each for as long as all its tries take.
"""

from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Final, TypeVar

from leads.errors import DatabaseFault
from leads.postgres.connection import Connection

PING_SECONDS: Final = 10.0
"""Seconds after which Postgres is told that we are still there."""

_T = TypeVar("_T")


class Keepalive:
    """Of a run, whose connection this is. Used by the thread that uses the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ping(self) -> None:
        """Tells Postgres that we are still there. A fault of it shows in the statement that comes next: who
        waits for S3 must know first what came of that.
        """
        with suppress(DatabaseFault):
            self._connection.query("SELECT 1")

    def wait_for(self, done: Future[_T]) -> _T:
        """What the future gives, or raises; meanwhile Postgres is spoken to."""
        while not wait([done], PING_SECONDS).done:
            self.ping()
        return done.result()
