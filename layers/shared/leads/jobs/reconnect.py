"""A run that finds the database away, as it is while it starts again or fails over, waits for it.

Lambda's two retries come after one and two minutes: without a wait of their own the three deliveries of an
event were over before a failover was.
"""

import time
from typing import Final

from leads.errors import DatabaseFault
from leads.observability import logger
from leads.postgres.connection import Connection, Database

MAX_OUTAGE_SECONDS: Final = 240.0
"""Seconds in which a run rides an outage out: a failover takes half a minute, a restart two."""

MIN_RETRY_SECONDS: Final = 60.0
"""Seconds of a run that must be left for its work: with less of them the next delivery begins anew."""

INITIAL_PAUSE_SECONDS: Final = 0.25
MAX_PAUSE_SECONDS: Final = 5.0
"""Seconds between two tries to connect, each pause twice the last one; much less than the two looks at a job
without a run are apart (expire_jobs).
"""


def connect_with_backoff(database: Database, deadline: float) -> Connection:
    """A connection, asked for again while the database is away, as long as what is left of the run until
    `deadline` is worth a try. Raises DatabaseFault.
    """
    give_up = min(time.monotonic() + MAX_OUTAGE_SECONDS, deadline - MIN_RETRY_SECONDS)
    pause = INITIAL_PAUSE_SECONDS
    while True:
        try:
            return database.connect()
        except DatabaseFault as fault:
            if not fault.unreachable or time.monotonic() + pause > give_up:
                raise
            logger.warning("waiting for the database", fault=str(fault))
        time.sleep(pause)
        pause = min(2 * pause, MAX_PAUSE_SECONDS)
