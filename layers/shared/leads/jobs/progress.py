"""Shows how far a job is while it runs, through a connection of its own: its transaction shows nothing."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from leads.observability import logger, stack_without_message
from leads.postgres.connection import Connection, Database

_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 1.0
"""Seconds that each answer may take. `close` may wait for several: to log in and tell are nine of them."""


class Progress:
    """Twice a second at the most; after a failure nobody is told any more. Close it, or use it with
    `closing`.

    In a thread of its own: meanwhile the job's Postgres would have nothing to do. What fails in it fails
    nothing else.
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
        if self._showing is None or self._showing.done():
            self._shown_at = time.monotonic()
            self._showing = self._thread.submit(self._show, rows)

    def _show(self, rows: int) -> None:
        try:
            self._connection = self._connection or self._database.connect(timeout=_TIMEOUT_SECONDS)
            self._record(self._connection, rows)
        except Exception as error:
            self._failed = True
            logger.warning(
                "progress is shown no more", fault=type(error).__name__, stack=stack_without_message(error)
            )
            # Now, not with the job: it may wait for a lock, or have a transaction open.
            self._end()

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Ends its connection, when what is being shown has arrived: nothing is shown after it."""
        self._thread.shutdown()
        self._end()
