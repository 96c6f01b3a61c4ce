"""What a run does that finds its job taken: by a run at work, whose duplicate it is, or by one that died.

A dead run's lock goes with its connection, which the server misses after a while: at once when its process
was killed, within a minute when its machine is gone (app_role_create in sql/schema.sql). Who leaves a job to
a dead run leaves it to nobody, so this one stays until it knows.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from leads.errors import JobAtWork, JobTaken
from leads.postgres.connection import Connection
from leads.postgres.job_lock import lock_job, signs_of_life

PATIENCE: Final = 60.0
"""Seconds after which the lock of a dead run is gone: the server's limits come to 55 at the most."""

PAUSE: Final = 0.25
"""Seconds between two tries. A run at work asks for something several times a second."""

LET_GO: Final = 5.0
"""Seconds for the server to see that the run's own connection was closed: a moment, unless that had hung."""

_Claimed = TypeVar("_Claimed")


def claim_when_free(
    connection: Connection, table: str, org_id: str, id: int, claim: Callable[[], _Claimed]
) -> _Claimed:
    """What `claim` gives, which is tried again as long as it raises JobTaken.

    Raises JobAtWork as soon as the run that has the job is seen at work, so that a duplicate ends, or when
    it has been waiting for a lock for longer than a dead one could; JobTaken when it neither was seen nor let
    go: then the event must come again. Raises ServiceFault.
    """
    deadline = time.monotonic() + PATIENCE
    before = None
    since = deadline
    while True:
        try:
            return claim()
        except JobTaken as taken:
            signs = signs_of_life(connection, table, org_id, id)
            if signs.holder is not None:
                if before is None:
                    since = time.monotonic()
                elif (signs.holder, signs.progress) != (before.holder, before.progress):
                    raise JobAtWork(f"{taken} and is at work") from None
                before = signs
                if signs.waits and time.monotonic() > since + PATIENCE:
                    # Its connection was looked at for longer than the server keeps a dead one.
                    raise JobAtWork(f"{taken} and waits") from None
            if time.monotonic() > deadline and not (signs.holder and signs.waits):
                raise
        time.sleep(PAUSE)


def take_again(connection: Connection, table: str, id: int) -> None:
    """Takes a job whose lock went with this run's last connection, so that the run may end it: another run
    may have claimed it since.

    Raises JobTaken when it has, or when the lock of a hanging connection is there still; DatabaseFault.
    """
    deadline = time.monotonic() + LET_GO
    while True:
        try:
            lock_job(connection, table, id)
        except JobTaken:
            if time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(PAUSE)
