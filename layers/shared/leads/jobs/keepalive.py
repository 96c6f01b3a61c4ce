"""Keep a transaction's connection alive while its run waits for S3.

Postgres ends a transaction that idles for 55 s. A second delivery treats a run as dead if its connection
sends nothing for a minute (claim.py). S3 may take longer than both without failing: closing a report or an
export waits for its last parts and then for their completion, each for as long as all tries take.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Condition
from typing import Final, TypeVar

from leads.errors import DatabaseFault
from leads.postgres.connection import Connection

PING_SECONDS: Final = 10.0
"""Pause between two pings. Several must fit into the 55 s of idle_in_transaction_session_timeout."""

_T = TypeVar("_T")


class Keepalive:
    """Ping Postgres on the connection of a run, from the thread that uses the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pinged_at = time.monotonic()

    def ping(self) -> None:
        """Ping Postgres. Errors are ignored: the next statement raises them.

        The result of the wait takes precedence, because it says what S3 stored.
        """
        with suppress(DatabaseFault):
            self._ping()

    def ping_if_due(self) -> None:
        """Ping Postgres if the last ping was PING_SECONDS ago, busy or not. Raises DatabaseFault."""
        if time.monotonic() - self._pinged_at > PING_SECONDS:
            self._ping()

    def wait_for(self, done: Future[_T]) -> _T:
        """Return a future's result, or raise its exception, and ping Postgres until it is there."""
        while not wait([done], PING_SECONDS).done:
            self.ping()
        return done.result()

    def wait_until(self, changed: Condition, is_met: Callable[[], bool]) -> None:
        """Wait until a condition, which `changed` guards, is met, and ping Postgres meanwhile."""
        while True:
            with changed:
                if changed.wait_for(is_met, PING_SECONDS):
                    return
            self.ping()

    def _ping(self) -> None:
        self._pinged_at = time.monotonic()
        self._connection.query("SELECT 1")
