"""Makes the file of an export that takes longer than an answer may.

Claimed as imports are: delivered again, an event finds its export over, or a run at work on it, and does
nothing.
"""

import time
from contextlib import closing, suppress
from typing import Final

from leads.domain.export_job import ExportJob
from leads.domain.failure_code import FailureCode
from leads.errors import DatabaseFault, ExportTooLong, JobRunning, ServiceFault
from leads.jobs.claim import claim_or_wait, reclaim
from leads.jobs.outcome import ATTEMPTS, COMPLETED, IGNORED, ExportOutcome
from leads.jobs.progress import Progress
from leads.jobs.reconnect import MIN_RETRY_SECONDS, connect_with_backoff
from leads.observability import bind_job, increment, logger
from leads.postgres.connection import Connection, Database
from leads.postgres.export_jobs import (
    claim_export_job,
    fail_export_job,
    get_export_job,
    record_export_progress,
)
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import JobKey, parse_export_request_key
from leads.use_cases.export_file import OUR_FAULT, export_file

_TOO_LONG: Final = (
    "The export takes longer than a run may. Ask for a part of it: narrow it with startDate and endDate, "
    "status or source."
)


def process_export(
    request: StoredFile, *, database: Database, bucket: Bucket, seconds: float
) -> ExportOutcome:
    """Makes an export's file within `seconds`, or does nothing when its job is over, not there, or another
    run is at work on it.

    A fault that the database would only repeat, or too little time, ends the job as FAILED. Another one is
    raised for Lambda to retry, one of the database after a second try here; at the last attempt it ends the
    job as FAILED, too. Raises ServiceFault.
    """
    run = _Run(request, database, bucket, seconds)
    outcome = run.process()
    if outcome.ended == IGNORED:
        run.name_ignored()
    return outcome


class _Run:
    """One delivery of a request's event, which may try twice."""

    def __init__(self, request: StoredFile, database: Database, bucket: Bucket, seconds: float) -> None:
        self._request = request
        self._key = parse_export_request_key(request.key)
        self._database = database
        self._bucket = bucket
        self._deadline = time.monotonic() + seconds
        self._connected = False
        self._tries = 0
        self._attempts = 0
        self._exporting = False

    def process(self) -> ExportOutcome:
        """Tries, and after a fault of the database's once more. Raises what ends no job before the last
        attempt.
        """
        try:
            return self._twice()
        except Exception:
            if self._key is not None and self._attempts >= ATTEMPTS:
                # What failed must be told.
                with suppress(ServiceFault), self._database.connect() as connection:
                    # The connection that had the job is closed, and may have been dead before: the job may be
                    # another run's by now, which is to end it.
                    reclaim(connection, "export_job", self._key.job_id)
                    self._fail(connection, self._key, FailureCode.INTERNAL, OUR_FAULT)
            raise

    def name_ignored(self) -> None:
        """Names what began a job that this run did not claim, for the lines of the log alone."""
        if self._key is not None:
            with suppress(DatabaseFault), self._database.connect() as connection:
                job = get_export_job(connection, self._key.org_id, self._key.job_id)
                bind_job("export_job", self._key.job_id, job.correlation_id if job else None)

    def _twice(self) -> ExportOutcome:
        try:
            return self._try()
        except DatabaseFault as fault:
            # Without a connection the first one has tried for long enough.
            if not self._connected or self._left() < MIN_RETRY_SECONDS:
                raise
            logger.warning("export tried once more", fault=str(fault))
            increment("ExportRetries")
        return self._try()

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _try(self) -> ExportOutcome:
        self._tries += 1
        key = self._key
        if key is None:
            return ExportOutcome(None, IGNORED)
        bind_job("export_job", key.job_id)
        ignored = ExportOutcome(key.job_id, IGNORED)
        with connect_with_backoff(self._database, self._deadline) as connection:
            self._connected = True
            try:
                # On a second try it may be this very run's dead connection that has the job.
                attempts = claim_or_wait(
                    connection, "export_job", key.org_id, key.job_id, lambda: self._claim(connection, key)
                )
            except JobRunning:
                return ignored
            if attempts is None:
                return ignored
            self._attempts = attempts
            job = get_export_job(connection, key.org_id, key.job_id)
            if job is None:
                return ignored
            return self._export(connection, key, job)

    def _claim(self, connection: Connection, key: JobKey) -> int | None:
        return claim_export_job(
            connection,
            key.org_id,
            key.job_id,
            request_version=self._request.version,
            again=self._attempts > 0,
        )

    def _export(self, connection: Connection, key: JobKey, job: ExportJob) -> ExportOutcome:
        bind_job("export_job", job.id, job.correlation_id)
        if self._attempts > 1 and not self._exporting:
            increment("ExportRetries")
        self._exporting = True

        def record(another: Connection, rows: int) -> None:
            record_export_progress(another, job.org_id, job.id, rows)

        try:
            with closing(Progress(self._database, record)) as show:
                done = export_file(
                    connection,
                    job,
                    database=self._database,
                    bucket=self._bucket,
                    seconds=self._left(),
                    show=show,
                )
        except ExportTooLong:
            if self._tries > 1:
                # The first try had its time: the next delivery begins anew.
                raise
            self._fail_here(connection, key, FailureCode.EXPORT_TOO_LONG, _TOO_LONG)
            return ExportOutcome(job.id, FailureCode.EXPORT_TOO_LONG)
        except DatabaseFault as fault:
            if fault.transient:
                raise
            self._fail_here(connection, key, FailureCode.REJECTED_BY_DATABASE, OUR_FAULT)
            return ExportOutcome(job.id, FailureCode.REJECTED_BY_DATABASE, fault=str(fault))
        return ExportOutcome(job.id, COMPLETED, done.row_count, done.size_bytes)

    def _fail_here(self, connection: Connection, key: JobKey, code: FailureCode, reason: str) -> None:
        """By another connection: a COPY that is given up takes its own with it, and the job's lock."""
        connection.close()
        with self._database.connect() as another:
            reclaim(another, "export_job", key.job_id)
            self._fail(another, key, code, reason)

    def _fail(self, connection: Connection, key: JobKey, code: FailureCode, reason: str) -> None:
        if fail_export_job(connection, key.org_id, key.job_id, code, reason):
            increment("ExportsFailed")
