"""Record how far a job is while it runs.

The job's own transaction shows nothing before its commit, so a second connection records the progress.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from leads.observability import logger, stack_without_message
from leads.postgres.connection import Connection, Database

_INTERVAL_SECONDS: Final = 0.5
_TIMEOUT_SECONDS: Final = 1.0
"""Time for each answer of Postgres. `close` may wait for nine of them: a login and one update."""


class Progress:
    """Record row numbers at most twice a second, and stop after the first failure. Close it.

    It uses a thread of its own: in the job's thread Postgres would have nothing to do meanwhile. A failure
    here fails nothing else.
    """

    def __init__(self, database: Database, record: Callable[[Connection, int], None]) -> None:
        self._database = database
        self._record = record
        self._connection: Connection | None = None
        self._failed = False
        self._updated_at = time.monotonic()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="progress")
        self._update: Future[None] | None = None

    def __call__(self, rows: int) -> None:
        """Record the number of rows done, unless it is too early or the last update is still under way."""
        if self._failed or time.monotonic() - self._updated_at < _INTERVAL_SECONDS:
            return
        if self._update is None or self._update.done():
            self._updated_at = time.monotonic()
            self._update = self._thread.submit(self._record_rows, rows)

    def _record_rows(self, rows: int) -> None:
        try:
            self._connection = self._connection or self._database.connect(timeout=_TIMEOUT_SECONDS)
            self._record(self._connection, rows)
        except Exception as error:
            self._failed = True
            logger.warning(
                "progress is no longer recorded",
                fault=type(error).__name__,
                stack=stack_without_message(error),
            )
            # Close the connection at once: it may wait for a lock, or have a transaction open.
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Wait for the update that is under way and close the connection. No update follows."""
        self._thread.shutdown()
        self._disconnect()
