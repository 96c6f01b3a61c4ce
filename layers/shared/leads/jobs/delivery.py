"""Handle one delivery of an event: find its job, claim it, work, try once more, fail at the last attempt.

A run is one delivery of an event to a function. Lambda delivers an event at least once, and up to
MAX_ATTEMPTS times if runs fail. process_import and process_export say what their jobs are; the order of
steps, and who may end a job when, stands here alone.
"""

import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import ClassVar, Final, Generic, Protocol, TypeVar

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
        """The number of deliveries that have claimed the job, this one included."""
        ...

    @property
    def correlation_id(self) -> str | None:
        """The id of the request or event that the job comes from."""
        ...


_Claimed = TypeVar("_Claimed", bound=Claimed)
_Outcome = TypeVar("_Outcome", bound=Outcome)


class Delivery(ABC, Generic[_Claimed, _Outcome]):
    """One run, which may try twice. Subclasses name the job, claim it and do its work."""

    noun: ClassVar[str]
    """`import` or `export`, for the log."""
    retries_metric: ClassVar[str]
    failures_metric: ClassVar[str]

    def __init__(self, stores: Stores, seconds: float) -> None:
        """Prepare a run that must end within `seconds`."""
        self._stores: Final = stores
        self._deadline: Final = time.monotonic() + seconds
        self._started_at: Final = time.monotonic()
        self._job: JobRef | None = None
        self._tries = 0
        self._connected = False
        self._attempt = 0
        """The attempt that this run is, once it has claimed the job."""

    def handle(self) -> _Outcome:
        """Process the job, with a second try after a fault of the database.

        At the last attempt a fault ends the job as FAILED. Raises what the last try raised.
        """
        try:
            outcome = self._try_twice()
        except Exception as error:
            if self._job is not None and self._attempt >= MAX_ATTEMPTS:
                # The first error must be raised, not one of recording it.
                with suppress(ServiceFault):
                    self._end_job(self._job, *self._final_failure(error))
            raise
        if outcome.ended == IGNORED:
            self._bind_ignored_job()
        return outcome

    @abstractmethod
    def _find(self, connection: Connection) -> JobRef:
        """Return the job that the event is about. It may have to be created first."""

    @abstractmethod
    def _names_job(self) -> bool:
        """Return False if the event names no job, so that it must be ignored."""

    @abstractmethod
    def _claim(self, connection: Connection, job: JobRef, *, again: bool) -> _Claimed | None:
        """Claim the job, or return None if it has ended. `again` marks this run's second try."""

    @abstractmethod
    def _work(self, connection: Connection, claimed: _Claimed) -> _Outcome:
        """Do the job's work and end the job, or raise a fault."""

    @abstractmethod
    def _ignored(self, job: JobRef | None) -> _Outcome:
        """Return the outcome of a delivery that did nothing."""

    @abstractmethod
    def _fail(self, connection: Connection, job: JobRef, code: FailureCode, reason: str) -> bool:
        """End the job as FAILED. Return False if it had ended."""

    @abstractmethod
    def _final_failure(self, error: Exception) -> tuple[FailureCode, str]:
        """Return the code and the reason with which the last attempt's error ends the job."""

    @abstractmethod
    def _correlation_id(self, connection: Connection, job: JobRef) -> str | None:
        """Return the correlation id of a job that this run did not claim."""

    def _unclaimable(self, connection: Connection, job: JobRef) -> _Outcome:
        """Return the outcome of a job that has ended, or has another object."""
        return self._ignored(job)

    def _remaining(self) -> float:
        return self._deadline - time.monotonic()

    def _try_twice(self) -> _Outcome:
        try:
            return self._try()
        except DatabaseFault as fault:
            # Without any connection, the first try has retried for long enough.
            if not self._connected or self._remaining() < MIN_RETRY_SECONDS:
                raise
            logger.warning(f"{self.noun} tried once more", fault=str(fault))
            increment(self.retries_metric)
        return self._try()

    def _try(self) -> _Outcome:
        self._tries += 1
        if not self._names_job():
            return self._ignored(None)
        with connect_with_backoff(self._stores.database, self._deadline) as connection:
            self._connected = True
            self._job = job = self._find(connection)
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
            bind_job(job.table, job.id, claimed.correlation_id)
            if claimed.attempts > 1 and not self._attempt:
                increment(self.retries_metric)
            self._attempt = claimed.attempts
            return self._work(connection, claimed)

    def _end_job(self, job: JobRef, code: FailureCode, reason: str) -> None:
        """End the job as FAILED on a connection of its own, and count that.

        The connection that held the job's lock is closed or may be dead, so another run may hold the lock.
        Then that run ends the job, and this raises JobLocked. Raises DatabaseFault.
        """
        with self._stores.database.connect() as connection:
            reclaim(connection, job)
            if self._fail(connection, job, code, reason):
                increment(self.failures_metric)

    def _bind_ignored_job(self) -> None:
        """Name the request that an ignored job comes from in the log lines that follow."""
        if self._job is not None:
            with suppress(DatabaseFault), self._stores.database.connect() as connection:
                correlation_id = self._correlation_id(connection, self._job)
                bind_job(self._job.table, self._job.id, correlation_id)
