"""Shows how far a job is while it runs, through a connection of its own: its transaction shows nothing."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from leads.errors import DatabaseFault
from leads.postgres.connection import Connection, Database

_SECONDS: Final = 0.5
_PATIENCE: Final = 1.0
"""Seconds that an answer may take, and so the most that `close` waits."""


class Progress:
    """Twice a second at the most; after a failure nobody is told any more. Close it, or use it with
    `closing`.

    In a thread of its own: meanwhile the job's Postgres would have nothing to do.
    """

    def __init__(self, database: Database, record: Callable[[Connection, int], None]) -> None:
        self._database = database
        self._record = record
        self._connection: Connection | None = None
        self._failed = False
        self._shown_at = time.monotonic()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="progress")
        self._showing: Future[None] | None = None

    def __call__(self, rows: int) -> None:
        """Shows that so many rows are done, if it is time to and what was shown before has arrived."""
        if self._failed or time.monotonic() - self._shown_at < _SECONDS:
            return
        if self._showing is not None:
            if not self._showing.done():
                return
            # What is no fault of the database's is one of ours, and must not stay in the thread.
            self._showing.result()
        self._shown_at = time.monotonic()
        self._showing = self._thread.submit(self._show, rows)

    def _show(self, rows: int) -> None:
        try:
            self._connection = self._connection or self._database.connect(patience=_PATIENCE)
            self._record(self._connection, rows)
        except DatabaseFault:
            self._failed = True

    def close(self) -> None:
        """Ends its connection, when what is being shown has arrived: nothing is shown after it."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
