"""What a run does that finds its job taken: by a run at work, whose duplicate it is, or by one that died.

A dead run's lock goes with its connection, which the server misses after a while: at once when its process
was killed, within a minute when its machine is gone (app_role_create in sql/schema.sql). Who leaves a job to
a dead run leaves it to nobody, so this one stays until it knows.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from leads.errors import JobLocked, JobRunning
from leads.postgres.connection import Connection
from leads.postgres.job_lock import lock_job, signs_of_life

DEAD_LOCK_SECONDS: Final = 60.0
"""Seconds after which the lock of a dead run is gone: the server's limits come to 55 at the most."""

RETRY_PAUSE_SECONDS: Final = 0.25
"""Seconds between two tries. A run at work asks for something several times a second."""

RELEASE_SECONDS: Final = 5.0
"""Seconds for the server to see that the run's own connection was closed: a moment, unless that had hung."""

_Claimed = TypeVar("_Claimed")


def claim_or_wait(
    connection: Connection, table: str, org_id: str, id: int, claim: Callable[[], _Claimed]
) -> _Claimed:
    """What `claim` gives, which is tried again as long as it raises JobLocked.

    Raises JobRunning as soon as the run that has the job is seen at work, so that a duplicate ends, or when
    it has been waiting for a lock for longer than a dead one could; JobLocked when it neither was seen nor
    let go: then the event must come again. Raises ServiceFault.
    """
    deadline = time.monotonic() + DEAD_LOCK_SECONDS
    before = None
    since = deadline
    while True:
        try:
            return claim()
        except JobLocked as taken:
            signs = signs_of_life(connection, table, org_id, id)
            if signs.holder is not None:
                if before is None:
                    since = time.monotonic()
                elif (signs.holder, signs.progress) != (before.holder, before.progress):
                    raise JobRunning(f"{taken} and is at work") from None
                before = signs
                if signs.waits and time.monotonic() > since + DEAD_LOCK_SECONDS:
                    # Its connection was looked at for longer than the server keeps a dead one.
                    raise JobRunning(f"{taken} and waits") from None
            if time.monotonic() > deadline and not (signs.holder and signs.waits):
                raise
        time.sleep(RETRY_PAUSE_SECONDS)


def reclaim(connection: Connection, table: str, id: int) -> None:
    """Takes a job whose lock went with this run's last connection, so that the run may end it: another run
    may have claimed it since.

    Raises JobLocked when it has, or when the lock of a hanging connection is there still; DatabaseFault.
    """
    deadline = time.monotonic() + RELEASE_SECONDS
    while True:
        try:
            lock_job(connection, table, id)
        except JobLocked:
            if time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(RETRY_PAUSE_SECONDS)
