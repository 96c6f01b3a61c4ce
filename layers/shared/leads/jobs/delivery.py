"""Handle one delivery of an event: find the job, claim it, work, try again, fail at the last attempt.

A run is one delivery of an event to a function. Lambda delivers an event at least once, and up to
MAX_ATTEMPTS times if runs fail. process_import and process_export say what their jobs are; the order of
steps, and who may end a job when, stands here alone.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from leads.domain.failure_code import FailureCode
from leads.domain.job_ref import JobRef
from leads.errors import DatabaseFault, JobRunning, ServiceFault
from leads.jobs.claim import claim_or_wait, reclaim
from leads.jobs.outcome import IGNORED, MAX_ATTEMPTS, Outcome
from leads.jobs.reconnect import MIN_RETRY_SECONDS, connect_with_backoff
from leads.jobs.stores import Stores
from leads.observability import bind_job, increment, logger
from leads.postgres.connection import Connection


class Claimed(Protocol):
    """A job that this run, and no other, works on."""

    @property
    def attempts(self) -> int:
        """Number of deliveries that have claimed the job, this one included."""
        ...


class Job(Protocol):
    """A job of either table."""

    @property
    def correlation_id(self) -> str | None:
        """Id of the request or event that the job comes from."""
        ...


_Claimed = TypeVar("_Claimed", bound=Claimed)
_Outcome = TypeVar("_Outcome", bound=Outcome)


class JobKind(NamedTuple, Generic[_Outcome]):
    """The words, metrics and statements of one table of jobs."""

    noun: str
    """`import` or `export`, for the log."""
    retries_metric: str
    failures_metric: str
    outcome: type[_Outcome]
    get: Callable[[Connection, str, int], Job | None]
    """Read a job of an organisation by its id."""
    fail: Callable[[Connection, str, int, FailureCode, str], bool]
    """End a job as FAILED with a code and a reason. Returns False if it had ended."""


class Delivery(ABC, Generic[_Claimed, _Outcome]):
    """One run, which may try twice. Subclasses claim the job and do its work."""

    def __init__(self, kind: JobKind[_Outcome], job: JobRef | None, stores: Stores, seconds: float) -> None:
        """Prepare a run that must end within `seconds`. `job` is None if `_create` has to return it."""
        self._kind: Final = kind
        self._stores: Final = stores
        self._started_at: Final = time.monotonic()
        self._deadline: Final = self._started_at + seconds
        self._job = job
        self._tries = 0
        self._connected = False
        self._attempt = 0
        """The attempt that this run is, once it has claimed the job."""

    def handle(self) -> _Outcome:
        """Process the job, with a second try after a fault of the database.

        At the last attempt a fault ends the job as FAILED. Raises what the last try raised.
        """
        try:
            return self._try_twice()
        except Exception as error:
            if self._job is not None and self._attempt >= MAX_ATTEMPTS:
                # The first error must be raised, not one of recording it.
                with suppress(ServiceFault):
                    self._end_job(self._job, *self._final_failure(error))
            raise

    def bind_ignored_job(self) -> None:
        """Name the request that an ignored job comes from in the log lines that follow."""
        if self._job is not None:
            with suppress(DatabaseFault), self._stores.database.connect() as connection:
                job = self._kind.get(connection, self._job.org_id, self._job.id)
                bind_job(self._job.table, self._job.id, job.correlation_id if job is not None else None)

    def _create(self, connection: Connection) -> JobRef:
        """Return the job of an event that names none, and create it at the first delivery."""
        raise NotImplementedError("the event names its job")

    @abstractmethod
    def _claim(self, connection: Connection, job: JobRef, *, again: bool) -> _Claimed | None:
        """Claim the job and do nothing more, or return None if it has ended.

        `again` marks this run's second try.
        """

    @abstractmethod
    def _work(self, connection: Connection, job: JobRef, claimed: _Claimed) -> _Outcome:
        """Do the job's work and end the job, or raise a fault."""

    @abstractmethod
    def _final_failure(self, error: Exception) -> tuple[FailureCode, str]:
        """Return the code and the reason with which the last attempt's error ends the job."""

    def _unclaimable(self, connection: Connection, job: JobRef) -> _Outcome:
        """Return the outcome of a job that has ended, or has another object."""
        return self._ignored(job)

    def _ignored(self, job: JobRef) -> _Outcome:
        return self._kind.outcome(job_id=job.id, ended=IGNORED)

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()

    def _try_twice(self) -> _Outcome:
        try:
            return self._try()
        except DatabaseFault as fault:
            # Without any connection, the first try has retried for long enough.
            if not self._connected or self._remaining() < MIN_RETRY_SECONDS:
                raise
            logger.warning(f"{self._kind.noun} tried once more", fault=str(fault))
            increment(self._kind.retries_metric)
        return self._try()

    def _try(self) -> _Outcome:
        self._tries += 1
        if self._job is not None:
            bind_job(self._job.table, self._job.id)
        with connect_with_backoff(self._stores.database, self._deadline) as connection:
            self._connected = True
            self._job = job = self._job or self._create(connection)
            bind_job(job.table, job.id)
            try:
                # At the second try the lock may still be held by this run's own dead connection.
                claimed = claim_or_wait(
                    connection, job, lambda: self._claim(connection, job, again=self._attempt > 0)
                )
            except JobRunning:
                return self._ignored(job)
            if claimed is None:
                return self._unclaimable(connection, job)
            if claimed.attempts > 1 and not self._attempt:
                increment(self._kind.retries_metric)
            self._attempt = claimed.attempts
            return self._work(connection, job, claimed)

    def _end_job(self, job: JobRef, code: FailureCode, reason: str) -> None:
        """End the job as FAILED on a connection of its own, and count that.

        The connection that held the job's lock is closed or may be dead, so another run may hold the lock.
        Then that run ends the job, and this raises JobLocked. Raises DatabaseFault.
        """
        with self._stores.database.connect() as connection:
            reclaim(connection, job)
            if self._kind.fail(connection, job.org_id, job.id, code, reason):
                increment(self._kind.failures_metric)
