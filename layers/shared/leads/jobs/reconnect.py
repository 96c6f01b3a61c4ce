"""Connect to a database that restarts or fails over.

Lambda delivers an event again after one and after two minutes. Without a wait within each run, all three
deliveries would be over before a failover is.
"""

import time
from typing import Final

from leads.errors import DatabaseFault
from leads.observability import logger
from leads.postgres.connection import Connection, Database

MAX_OUTAGE_SECONDS: Final = 240.0
"""Longest wait of one run: a failover takes half a minute, a restart two."""

MIN_RETRY_SECONDS: Final = 60.0
"""Least remaining time that is worth a try. With less, the next delivery starts afresh."""

INITIAL_PAUSE_SECONDS: Final = 0.25
MAX_PAUSE_SECONDS: Final = 5.0
"""Bounds of the pause between two tries, which doubles each time.

The longest is far below the minute between the two looks that expire_jobs takes at a job without a run.
"""


def connect_with_backoff(database: Database, deadline: float) -> Connection:
    """Connect, and try again while the database is unreachable and enough time remains until `deadline`.

    `deadline` is a time of `time.monotonic`. Raises DatabaseFault.
    """
    give_up_at = min(time.monotonic() + MAX_OUTAGE_SECONDS, deadline - MIN_RETRY_SECONDS)
    pause = INITIAL_PAUSE_SECONDS
    while True:
        try:
            return database.connect()
        except DatabaseFault as fault:
            if not fault.unreachable or time.monotonic() + pause > give_up_at:
                raise
            logger.warning("waiting for the database", fault=str(fault))
        time.sleep(pause)
        pause = min(2 * pause, MAX_PAUSE_SECONDS)
