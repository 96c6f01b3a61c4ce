"""How long an import may go on: looked at between statements, told to the server for each, and kept by what
reads the file, for S3 may be slow without ever failing.
"""

import time
from typing import Final

from leads.errors import ImportTooLong, OrganisationBusy
from leads.postgres.connection import Transaction
from leads.s3.reader import ObjectReader

LATE: Final = 60.0
"""Seconds of waiting after which a run was not as good as all the import's."""

_LATER: Final = 0.1
"""Seconds by which a statement that is ended for its time outlasts ours, so that it is known by our clock."""


class TimeLeft:
    """Of a run, whose transaction this is."""

    def __init__(self, transaction: Transaction, seconds: float) -> None:
        """Limits its statements, too. Raises ImportTooLong, DatabaseFault."""
        self._transaction = transaction
        self._deadline = time.monotonic() + seconds
        self.waited = 0.0
        """Seconds for which other imports of the organisation had their turn."""
        self.limit_statements()

    def check(self) -> None:
        """Raises ImportTooLong when there is none, or OrganisationBusy when much of it was waited for others:
        then that it did not do says nothing of the file.
        """
        if time.monotonic() < self._deadline:
            return
        if self.waited > LATE:
            raise OrganisationBusy("the import's turn came too late for its run")
        raise ImportTooLong("the import was out of time")

    @property
    def seconds(self) -> float:
        """What is left."""
        return self._deadline - time.monotonic()

    def limit_statements(self) -> None:
        """Lets none of the next statements take longer. Raises ImportTooLong, DatabaseFault."""
        self.check()
        self._transaction.limit_statements(self.seconds + _LATER)


class TimelyReader:
    """An object's bytes, as long as there is time."""

    def __init__(self, reader: ObjectReader, time_left: TimeLeft) -> None:
        self._reader = reader
        self._time_left = time_left
        self.size = reader.size

    def read(self, size: int, /) -> bytes:
        """As the reader reads. Raises ImportTooLong and ServiceFault."""
        self._time_left.check()
        return self._reader.read(size)
