"""Claim a job whose lock may be held: by a running run, whose duplicate this one is, or by a dead one.

A dead run's lock is released with its connection, which the server notices late: at once when the process
was killed, within a minute when its machine is gone (app_role_create in sql/schema.sql). A run that leaves
its job to a dead run loses the job, so this one waits until it knows.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from leads.domain.job_ref import JobRef
from leads.errors import JobLocked, JobRunning
from leads.postgres.connection import Connection
from leads.postgres.locks import SignsOfLife, lock_job, signs_of_life

DEAD_LOCK_SECONDS: Final = 60.0
"""Time after which a dead run's lock is released: the server's limits add up to 55 s."""

RETRY_PAUSE_SECONDS: Final = 0.25
"""Pause between two tries. A run sends a statement several times a second."""

RELEASE_SECONDS: Final = 5.0
"""Time in which the server notices that this run closed its own connection, unless that one hung."""

_Claimed = TypeVar("_Claimed")


def claim_or_wait(connection: Connection, job: JobRef, claim: Callable[[], _Claimed]) -> _Claimed:
    """Return the result of `claim`, which is called again while it raises JobLocked.

    Raises:
        JobRunning: The lock's holder did something between two looks, so this run is a duplicate. Or the
            holder has waited for another lock for longer than a dead one could.
        JobLocked: The holder neither did anything nor released the lock. The event must come again.
        ServiceFault: Postgres failed.
    """
    deadline = time.monotonic() + DEAD_LOCK_SECONDS
    before: SignsOfLife | None = None
    first_seen_at = deadline
    while True:
        try:
            return claim()
        except JobLocked as locked:
            signs = signs_of_life(connection, job)
            if signs.holder is not None:
                if before is None:
                    first_seen_at = time.monotonic()
                elif (signs.holder, signs.progress) != (before.holder, before.progress):
                    raise JobRunning(f"{locked} and is running") from None
                before = signs
                if signs.waits and time.monotonic() > first_seen_at + DEAD_LOCK_SECONDS:
                    raise JobRunning(f"{locked} and waits") from None
            if time.monotonic() > deadline and not (signs.holder and signs.waits):
                raise
        time.sleep(RETRY_PAUSE_SECONDS)


def reclaim(connection: Connection, job: JobRef) -> None:
    """Lock a job again, so that a run whose last connection released the lock may end the job.

    Raises:
        JobLocked: Another run has claimed it since, or this run's hanging connection still holds the lock.
        DatabaseFault: Postgres failed.
    """
    deadline = time.monotonic() + RELEASE_SECONDS
    while True:
        try:
            lock_job(connection, job)
        except JobLocked:
            if time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(RETRY_PAUSE_SECONDS)
