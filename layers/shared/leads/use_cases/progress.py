"""Shows how far a job is while it runs, through a connection of its own: its transaction shows nothing."""

import time
from collections.abc import Callable
from typing import Final

from leads.errors import DatabaseFault
from leads.postgres.connection import Connection, Database

_SECONDS: Final = 0.5
_PATIENCE: Final = 1.0
"""Seconds that each answer may keep a job waiting."""


class Progress:
    """Twice a second at the most; after a failure nobody is told any more. Close it, or use it with
    `closing`.
    """

    def __init__(self, database: Database, record: Callable[[Connection, int], None]) -> None:
        self._database = database
        self._record = record
        self._connection: Connection | None = None
        self._failed = False
        self._shown_at = time.monotonic()

    def __call__(self, rows: int) -> None:
        """Shows that so many rows are done, if it is time to."""
        if self._failed or time.monotonic() - self._shown_at < _SECONDS:
            return
        try:
            self._connection = self._connection or self._database.connect(patience=_PATIENCE)
            self._record(self._connection, rows)
        except DatabaseFault:
            self._failed = True
            self.close()
        self._shown_at = time.monotonic()

    def close(self) -> None:
        """Ends its connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
