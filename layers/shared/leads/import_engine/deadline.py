"""Bound the time of an import.

The deadline is checked between statements, passed to the server with each statement, and checked by the
reader of the file, because S3 may be slow without ever failing.
"""

import time
from typing import Final

from leads.errors import ImportTooLong, OrganisationBusy
from leads.postgres.connection import Transaction
from leads.s3.reader import ObjectReader

MAX_LOCK_WAIT_SECONDS: Final = 60.0
"""Wait for the organisation lock after which a run that is out of time says nothing of its file."""

_GRACE_SECONDS: Final = 0.1
"""Time by which the server's limit outlasts the deadline: the client's clock must pass first."""


class Deadline:
    """The end of an import's time, which its transaction shares."""

    def __init__(self, transaction: Transaction, seconds: float) -> None:
        """Start the time and limit the statements. Raises ImportTooLong, DatabaseFault."""
        self._transaction = transaction
        self._ends_at = time.monotonic() + seconds
        self.lock_wait_seconds = 0.0
        """Time for which other imports of the organisation held its lock."""
        self.limit_statements()

    def check(self) -> None:
        """Raise ImportTooLong at the deadline, or OrganisationBusy if much of the time was spent waiting.

        Much is MAX_LOCK_WAIT_SECONDS: then the file itself may fit into a whole run.
        """
        if time.monotonic() < self._ends_at:
            return
        if self.lock_wait_seconds > MAX_LOCK_WAIT_SECONDS:
            raise OrganisationBusy("the organisation's lock was released too late for this run")
        raise ImportTooLong("the import was out of time")

    @property
    def remaining(self) -> float:
        """Return the seconds until the deadline."""
        return self._ends_at - time.monotonic()

    def limit_statements(self) -> None:
        """Let no later statement outlast the remaining time. Raises as `check`, DatabaseFault."""
        self.check()
        self._transaction.limit_statements(self.remaining + _GRACE_SECONDS)


class DeadlineReader:
    """Read an object until the deadline."""

    def __init__(self, reader: ObjectReader, deadline: Deadline) -> None:
        self._reader = reader
        self._deadline = deadline
        self.size = reader.size

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; b'' at the end. Raises as `Deadline.check`, ServiceFault."""
        self._deadline.check()
        return self._reader.read(size)
