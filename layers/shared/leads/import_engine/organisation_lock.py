"""Wait for the organisation's import lock.

Without it, SKIP would create duplicates between two imports at once.

A waiting import stays in Postgres' own queue, which is first come, first served. It waits once: a second
request would go to the end of the queue.
"""

import time
from typing import Final

from leads.import_engine.deadline import Deadline
from leads.postgres.connection import Connection
from leads.postgres.locks import wait_for_lock

RESERVED_SECONDS: Final = 120.0
"""Time of a run that is reserved for the import itself, however small its file is. It needs a few seconds."""

MIN_BYTES_PER_SECOND: Final = 500_000
"""Speed of an import to reckon with: a tenth of the measured one (bench/README.md), for a busy database."""


def max_wait(size: int, remaining: float) -> float:
    """Return the seconds that an import of `size` bytes may wait for the lock.

    At least half of the remaining seconds, because a large file may be imported faster than reckoned.
    """
    return remaining - min(max(RESERVED_SECONDS, size / MIN_BYTES_PER_SECOND), remaining / 2)


def wait_for_organisation(connection: Connection, org_id: str, size: int, deadline: Deadline) -> None:
    """Acquire the lock for an import of `size` bytes, in the transaction under way.

    The deadline learns how long that lasted.

    Raises:
        OrganisationBusy: The lock was not released in time.
        DatabaseFault: Postgres failed.
    """
    started_at = time.monotonic()
    wait_for_lock(connection, org_id, max_wait(size, deadline.remaining))
    deadline.lock_wait_seconds = time.monotonic() - started_at
