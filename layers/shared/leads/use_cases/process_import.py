"""Import one stored file. This is the only use case that writes leads.

Delivery claims the job, and FileImport does the rest in one transaction: all valid rows are stored, or none.
When the event is delivered again, the job has ended or is another run's, and nothing happens.
"""

import time
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from leads.domain.failure_code import FailureCode
from leads.domain.job_ref import JobRef, import_ref
from leads.domain.job_status import JobStatus
from leads.errors import DatabaseFault, ImportTooLong, InvalidFile, OrganisationBusy
from leads.import_engine.import_file import FileImport
from leads.import_engine.sizes import Sizes
from leads.jobs.delivery import Delivery, JobKind
from leads.jobs.drop_result import log_missing_result, write_drop_result
from leads.jobs.outcome import COMPLETED, IGNORED, ImportOutcome, count_import
from leads.jobs.stores import Stores
from leads.observability import bind_job, correlation_id
from leads.postgres.connection import Connection
from leads.postgres.import_jobs import (
    ClaimedImportJob,
    NewImportJob,
    claim_import_job,
    create_import_job,
    fail_import_job,
    get_import_job,
)
from leads.s3.bucket import SourceFile
from leads.s3.events import StoredFile
from leads.s3.keys import DropKey, parse_drop_key, parse_upload_key

DROP_USER: Final = "drop-folder"
"""The creator of a dropped file's leads: S3 does not say whose key put the file there."""

_SIZES: Final = Sizes()

_INTERNAL_FAULT: Final = (
    "An internal error occurred during the import. Nothing of the file was imported; send it again."
)

_BUSY: Final = (
    "Other imports of your organisation were still running. Nothing was imported; send the file again when "
    "they have finished."
)

_TOO_LONG: Final = (
    "The import takes longer than the service allows. Nothing of the file was imported: split it into "
    "smaller files and send them one after the other."
)

_MAX_DELAY_SECONDS: Final = 60.0
"""Time of a run that may pass before its import starts and still say something of the file.

If an import that started later runs out of time, a whole run may be enough for it.
"""


def process_import(
    file: StoredFile, stores: Stores, *, seconds: float, sizes: Sizes = _SIZES
) -> ImportOutcome:
    """Import a file within `seconds`.

    The event is ignored if its job has ended, is missing, or is another run's.

    A fault of the file, one that the database would only repeat, or too little time ends the job as FAILED.
    Any other fault is raised for Lambda to retry, one of the database after a second try in this run. At the
    last attempt it ends the job as FAILED, too.

    The sender of a dropped file finds a result file. It is written at each delivery, so that none is missing
    when a run dies between the job's end and its result.

    Raises ServiceFault.
    """
    upload, drop = parse_upload_key(file.key), parse_drop_key(file.key)
    if upload is None and drop is None:
        outcome = ImportOutcome(job_id=None, ended=IGNORED)
        count_import(outcome)
        return outcome
    job = import_ref(upload.org_id, upload.job_id) if upload is not None else None
    delivery = _ImportDelivery(_Announced(file, job, drop), stores, seconds, sizes)
    try:
        outcome = delivery.handle()
        count_import(outcome)
    except Exception:
        # The first error must be raised. A job that it ended has a result like any other.
        with suppress(Exception):
            delivery.write_drop_result()
        raise
    if outcome.ended == IGNORED:
        delivery.bind_ignored_job()
    try:
        delivery.write_drop_result()
    except Exception:
        # It has been logged, and the job has ended all the same.
        return replace(outcome, sender_not_notified=True)
    return outcome


class _Announced(NamedTuple):
    """A file that S3 announced. An upload has a job, a dropped file gets one at its first delivery."""

    file: StoredFile
    job: JobRef | None
    drop: DropKey | None


_KIND: Final = JobKind(
    noun="import",
    retries_metric="ImportRetries",
    failures_metric="ImportsFailed",
    outcome=ImportOutcome,
    get=get_import_job,
    fail=fail_import_job,
)


class _ImportDelivery(Delivery[ClaimedImportJob, ImportOutcome]):
    """One delivery of the event of an uploaded or a dropped file."""

    def __init__(self, announced: _Announced, stores: Stores, seconds: float, sizes: Sizes) -> None:
        super().__init__(_KIND, announced.job, stores, seconds)
        self._file = announced.file
        self._drop = announced.drop
        self._sizes = sizes

    @log_missing_result()
    def write_drop_result(self) -> None:
        """Write the result of a dropped file whose job has ended. Raises ServiceFault."""
        if self._job is None or self._drop is None:
            return
        with self._stores.database.connect() as connection:
            job = get_import_job(connection, self._job.org_id, self._job.id)
        if job is not None and job.ended:
            write_drop_result(job, self._stores.bucket)

    def _create(self, connection: Connection) -> JobRef:
        """Return the job of a dropped file, which is created at its first delivery."""
        drop = self._drop
        if drop is None:
            return super()._create(connection)
        new = NewImportJob(
            drop.org_id,
            drop.filename,
            drop.merge_strategy,
            dry_run=False,
            created_by=DROP_USER,
            correlation_id=correlation_id(),
            object_key=self._file.key,
            object_version=self._file.version,
        )
        return import_ref(drop.org_id, create_import_job(connection, new))

    def _claim(self, connection: Connection, job: JobRef, *, again: bool) -> ClaimedImportJob | None:
        return claim_import_job(
            connection, job, object_key=self._file.key, object_version=self._file.version, again=again
        )

    def _unclaimable(self, connection: Connection, job: JobRef) -> ImportOutcome:
        """Return the outcome of an unclaimable job.

        On the second try it may be our own success whose COMMIT reply was lost, unless another delivery has
        claimed the job since.
        """
        done = get_import_job(connection, job.org_id, job.id) if self._attempt else None
        if done is None or done.status is not JobStatus.COMPLETED or done.attempts != self._attempt:
            return self._ignored(job)
        return ImportOutcome(job_id=job.id, ended=COMPLETED, counts=done.counts, dry_run=done.dry_run)

    def _work(self, connection: Connection, job: JobRef, claimed: ClaimedImportJob) -> ImportOutcome:
        bind_job(job.table, job.id, claimed.correlation_id)
        delay = time.monotonic() - self._started_at
        try:
            if self._drop is not None and self._drop.problem is not None:
                raise InvalidFile(FailureCode.INVALID_KEY, self._drop.problem)
            source = SourceFile(self._stores.bucket, self._file.key, self._file.version, self._file.size)
            file_import = FileImport(connection, claimed, source, self._stores.database, self._sizes)
            counts = file_import.run(self._remaining())
        except InvalidFile as fault:
            return self._failed(connection, claimed, fault.code, str(fault))
        except DatabaseFault as fault:
            if fault.transient:
                raise
            failed = self._failed(connection, claimed, FailureCode.REJECTED_BY_DATABASE, _INTERNAL_FAULT)
            return replace(failed, fault=str(fault))
        except ImportTooLong:
            if delay > _MAX_DELAY_SECONDS:
                raise
            return self._failed(connection, claimed, FailureCode.IMPORT_TOO_LONG, _TOO_LONG)
        return ImportOutcome(job_id=claimed.id, ended=COMPLETED, counts=counts, dry_run=claimed.dry_run)

    def _failed(
        self, connection: Connection, job: ClaimedImportJob, code: FailureCode, reason: str
    ) -> ImportOutcome:
        """End the job as FAILED, unless another program has ended it: then this run did nothing to it."""
        ended = fail_import_job(connection, job.org_id, job.id, code, reason)
        return ImportOutcome(job_id=job.id, ended=code if ended else IGNORED)

    def _final_failure(self, error: Exception) -> tuple[FailureCode, str]:
        if isinstance(error, OrganisationBusy):
            return FailureCode.ORGANISATION_BUSY, _BUSY
        return FailureCode.INTERNAL, _INTERNAL_FAULT
