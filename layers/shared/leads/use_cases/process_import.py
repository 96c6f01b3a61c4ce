"""Imports one stored file: the only place that writes leads.

Claim the job, then import_file does the rest in one transaction, so all valid rows are in, or none. Delivered
again, an event finds its job over, or a run at work on it, and does nothing.
"""

import time
from contextlib import suppress
from dataclasses import replace
from typing import Final

from leads.domain.failure_code import FailureCode
from leads.domain.job_status import JobStatus
from leads.errors import DatabaseFault, ImportTooLong, InvalidFile, JobRunning, OrganisationBusy, ServiceFault
from leads.import_engine.import_file import Sizes, import_file
from leads.jobs.claim import claim_or_wait, reclaim
from leads.jobs.drop_result import leave_drop_result, log_missing_result
from leads.jobs.outcome import ATTEMPTS, COMPLETED, IGNORED, ImportOutcome, count_outcome
from leads.jobs.reconnect import MIN_RETRY_SECONDS, connect_with_backoff
from leads.observability import bind_job, increment, logger
from leads.postgres.connection import Connection, Database
from leads.postgres.import_jobs import (
    ClaimedImportJob,
    claim_import_job,
    fail_import_job,
    get_import_job,
)
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import DROP
from leads.s3.reader import ObjectReader
from leads.use_cases.announced_job import AnnouncedJob, announced_job

_SIZES: Final = Sizes()

_OUR_FAULT: Final = (
    "The import failed because of a fault on our side. Nothing of the file was imported; send it again."
)

_BUSY: Final = (
    "Other imports of your organisation were under way all the time. Nothing of the file was imported: send "
    "it again when they are over."
)

_TOO_LONG: Final = (
    "The import takes longer than a run may. Nothing of the file was imported: cut it into smaller files and "
    "send them one after the other."
)

_HARDLY_ANY: Final = 60.0
"""Seconds that may be spent of a run before an import begins, and it had the whole of it all the same."""


def process_import(
    file: StoredFile,
    *,
    database: Database,
    bucket: Bucket,
    seconds: float,
    sizes: Sizes = _SIZES,
) -> ImportOutcome:
    """Imports a file within `seconds`, or does nothing when its job is over, not there, or another run is at
    work on it.

    The sender of a dropped file finds a result file. It is written at each delivery, so that none is missing
    when a run dies between the job's end and its result.

    A fault of the file, one that the database would only repeat, or too little time, ends its job as FAILED.
    Another fault of ours is raised for Lambda to retry, one of the database after a second try here; at the
    last attempt it ends the job as FAILED, too. Raises ServiceFault.
    """
    run = _Run(file, database, bucket, seconds, sizes)
    try:
        outcome = run.process()
        count_outcome(outcome)
    except Exception:
        # What failed must be told, and a job that it ended has a result like any other.
        with suppress(Exception):
            run.leave_drop_result()
        raise
    if outcome.ended == IGNORED:
        run.name_ignored()
    try:
        run.leave_drop_result()
    except Exception:
        # It has been logged, and the job is over all the same.
        return replace(outcome, sender_not_notified=True)
    return outcome


class _Run:
    """One delivery of a file's event, which may try twice."""

    def __init__(
        self, file: StoredFile, database: Database, bucket: Bucket, seconds: float, sizes: Sizes
    ) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._file = file
        self._database = database
        self._bucket = bucket
        self._sizes = sizes
        self._found: AnnouncedJob | None = None
        self._connected = False
        self._claimed = False
        self._attempt = 0

    def process(self) -> ImportOutcome:
        """Tries, and after a fault of the database's once more. Raises what ends no job before the last
        attempt.
        """
        try:
            return self._twice()
        except Exception as error:
            if self._found is not None and self._attempt >= ATTEMPTS:
                # What failed must be told.
                with suppress(ServiceFault):
                    self._fail(self._found, isinstance(error, OrganisationBusy))
            raise

    def _fail(self, found: AnnouncedJob, busy: bool) -> None:
        code = FailureCode.ORGANISATION_BUSY if busy else FailureCode.INTERNAL
        reason = _BUSY if busy else _OUR_FAULT
        # The connection that had the job is closed, and may have been dead before: the job may be another
        # run's by now, which is to end it.
        with self._database.connect() as connection:
            reclaim(connection, "import_job", found.job_id)
            if fail_import_job(connection, found.org_id, found.job_id, code, reason):
                increment("ImportsFailed")

    def _twice(self) -> ImportOutcome:
        try:
            return self._try()
        except DatabaseFault as fault:
            # Without a connection the first one has tried for long enough.
            if not self._connected or self._left() < MIN_RETRY_SECONDS:
                raise
            logger.warning("import tried once more", fault=str(fault))
            increment("ImportRetries")
        return self._try()

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    @log_missing_result()
    def leave_drop_result(self) -> None:
        """Tells the sender of a dropped file, as soon as its job is over, what came of it. Raises
        ServiceFault.
        """
        if self._found is None or not self._file.key.startswith(DROP):
            return
        with self._database.connect() as connection:
            job = get_import_job(connection, self._found.org_id, self._found.job_id)
        if job is not None and job.ended:
            leave_drop_result(job, self._bucket)

    def name_ignored(self) -> None:
        """Names what began a job that this run did not claim, for the lines of the log alone."""
        if self._found is not None:
            with suppress(DatabaseFault), self._database.connect() as connection:
                job = get_import_job(connection, self._found.org_id, self._found.job_id)
                bind_job("import_job", self._found.job_id, job.correlation_id if job else None)

    def _try(self) -> ImportOutcome:
        with connect_with_backoff(self._database, self._deadline) as connection:
            self._connected = True
            self._found = announced_job(connection, self._file)
            if self._found is None:
                return ImportOutcome(None, IGNORED)
            org_id, job_id, problem = self._found
            bind_job("import_job", job_id)
            try:
                # On a second try it may be this very run's dead connection that has the job.
                job = claim_or_wait(
                    connection, "import_job", org_id, job_id, lambda: self._claim(connection, org_id, job_id)
                )
            except JobRunning:
                return ImportOutcome(job_id, IGNORED)
            if job is None:
                return self._over(connection, org_id, job_id)
            self._claimed = True
            return self._run(connection, job, problem)

    def _over(self, connection: Connection, org_id: str, job_id: int) -> ImportOutcome:
        """Of a job that cannot be claimed: by a second try because only the answer to the first one's COMMIT
        was lost, unless another delivery has taken it since.
        """
        done = get_import_job(connection, org_id, job_id) if self._claimed else None
        if done is None or done.status is not JobStatus.COMPLETED or done.attempts != self._attempt:
            return ImportOutcome(job_id, IGNORED)
        return ImportOutcome(job_id, COMPLETED, done.counts, done.dry_run)

    def _claim(self, connection: Connection, org_id: str, job_id: int) -> ClaimedImportJob | None:
        return claim_import_job(
            connection,
            org_id,
            job_id,
            object_key=self._file.key,
            object_version=self._file.version,
            again=self._claimed,
        )

    def _run(self, connection: Connection, job: ClaimedImportJob, problem: str | None) -> ImportOutcome:
        bind_job("import_job", job.id, job.correlation_id)
        if job.attempts > 1 and not self._attempt:
            increment("ImportRetries")
        self._attempt = job.attempts
        spent = self._seconds - self._left()
        try:
            if problem is not None:
                raise InvalidFile(FailureCode.INVALID_KEY, problem)
            counts = import_file(
                connection,
                job,
                self._open,
                announced_size=self._file.size,
                database=self._database,
                bucket=self._bucket,
                seconds=self._left(),
                sizes=self._sizes,
            )
        except InvalidFile as fault:
            return _failed(connection, job, fault.code, str(fault))
        except Exception as error:
            if isinstance(error, DatabaseFault) and not error.transient:
                rejected = _failed(connection, job, FailureCode.REJECTED_BY_DATABASE, _OUR_FAULT)
                return replace(rejected, fault=str(error))
            if isinstance(error, ImportTooLong) and spent <= _HARDLY_ANY:
                # Else it is not known: an outage or a first try had its time, and the next delivery begins
                # anew.
                return _failed(connection, job, FailureCode.IMPORT_TOO_LONG, _TOO_LONG)
            raise
        return ImportOutcome(job.id, COMPLETED, counts, job.dry_run)

    def _open(self) -> ObjectReader:
        try:
            return self._bucket.open(self._file.key, self._file.version)
        except FileNotFoundError as error:
            raise InvalidFile(
                FailureCode.FILE_GONE, "The file was deleted before it was imported. Send it again."
            ) from error


def _failed(connection: Connection, job: ClaimedImportJob, code: FailureCode, reason: str) -> ImportOutcome:
    """Ends the job, unless somebody else has: then this run did nothing to it."""
    ended = fail_import_job(connection, job.org_id, job.id, code, reason)
    return ImportOutcome(job.id, code if ended else IGNORED)
