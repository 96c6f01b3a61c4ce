"""Imports one stored file: the only place that writes leads.

Claim the job, then in one transaction read, check and merge the file chunk by chunk and end the job; so all
valid rows are in, or none. Delivered again, an event finds its job taken or over and does nothing.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from leads.csv_format.read_ahead import read_ahead
from leads.csv_format.reader import CHUNK_ROWS, LeadReader
from leads.csv_format.text_lines import ByteSource
from leads.domain.import_job import REPORTED_FAULTS, ImportCounts
from leads.domain.row_error import RowError
from leads.errors import DatabaseFault, FailureCode, InvalidFile, JobTaken
from leads.observability import logger
from leads.postgres.connection import Connection, Database
from leads.postgres.import_jobs import (
    ClaimedImportJob,
    NewImportJob,
    claim_import_job,
    complete_import_job,
    create_import_job,
    fail_import_job,
    record_progress,
)
from leads.postgres.staging import begin_staging, copy_block, merge
from leads.s3.bucket import Bucket
from leads.s3.keys import DROP, parse_drop_key, parse_upload_key

ATTEMPTS: Final = 3
"""Lambda's first asynchronous invocation and its two retries."""

DROP_USER: Final = "drop-folder"
"""Who created the leads of a dropped file: S3 does not say whose key put it there."""

_PROGRESS_SECONDS: Final = 0.5

_OUR_FAULT: Final = (
    "The import failed because of a fault on our side. Nothing of the file was imported; send it again."
)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One version of one object, as an S3 event names it."""

    key: str
    version: str


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What became of an event: `job_id` is None when there is no job, `ended` what this run did to it:
    COMPLETED, IGNORED, or the code of its failure, of which `fault` says more when it is ours.
    """

    job_id: int | None
    ended: str
    counts: ImportCounts = ImportCounts()
    fault: str | None = None


IGNORED: Final = "IGNORED"
COMPLETED: Final = "COMPLETED"


def process_import(
    file: StoredFile, *, database: Database, bucket: Bucket, chunk_rows: int = CHUNK_ROWS
) -> ImportOutcome:
    """Imports a file, or does nothing when its job is over, taken by another run, or not there.

    A fault of the file, or one that the database would only repeat, ends its job as FAILED. Another fault of
    ours is raised for Lambda to retry, one of the database after a second try here; at the last attempt it
    ends the job as FAILED, too. Raises ServiceFault.
    """
    run = _Run(file, database, bucket, chunk_rows)
    try:
        return run.process()
    except DatabaseFault as fault:
        logger.warning("import tried once more", fault=str(fault))
    return run.process()


class _Run:
    """One delivery of a file's event, which may try twice."""

    def __init__(self, file: StoredFile, database: Database, bucket: Bucket, chunk_rows: int) -> None:
        self._file = file
        self._database = database
        self._bucket = bucket
        self._chunk_rows = chunk_rows
        self._tries = 0
        self._claimed = False

    def process(self) -> ImportOutcome:
        """Tries once. Raises ServiceFault."""
        self._tries += 1
        with self._database.connect() as connection:
            found = _find_job(connection, self._file)
            if found is None:
                return ImportOutcome(None, IGNORED)
            org_id, job_id, problem = found
            try:
                job = claim_import_job(
                    connection,
                    org_id,
                    job_id,
                    object_key=self._file.key,
                    object_version=self._file.version,
                    again=self._claimed,
                )
            except JobTaken:
                if self._claimed:
                    # By this very run's dead connection: somebody has to come back for the job.
                    raise
                return ImportOutcome(job_id, IGNORED)
            if job is None:
                return ImportOutcome(job_id, IGNORED)
            self._claimed = True
            return self._run(connection, job, problem)

    def _run(self, connection: Connection, job: ClaimedImportJob, problem: str | None) -> ImportOutcome:
        try:
            if problem is not None:
                raise InvalidFile(FailureCode.INVALID_KEY, problem)
            counts = self._import(connection, job)
        except InvalidFile as fault:
            fail_import_job(connection, job.org_id, job.id, fault.code, str(fault))
            return ImportOutcome(job.id, fault.code)
        except Exception as error:
            if isinstance(error, DatabaseFault) and not error.transient:
                fail_import_job(connection, job.org_id, job.id, FailureCode.REJECTED_BY_DATABASE, _OUR_FAULT)
                return ImportOutcome(job.id, FailureCode.REJECTED_BY_DATABASE, fault=str(error))
            will_try_again = isinstance(error, DatabaseFault) and self._tries == 1
            if job.attempts >= ATTEMPTS and not will_try_again:
                # The connection at hand may be dead.
                with self._database.connect() as another:
                    fail_import_job(another, job.org_id, job.id, FailureCode.INTERNAL, _OUR_FAULT)
            raise
        return ImportOutcome(job.id, COMPLETED, counts)

    def _import(self, connection: Connection, job: ClaimedImportJob) -> ImportCounts:
        """Reads and merges the file and ends the job, all in one transaction."""
        tally = _Tally()
        with (
            connection.transaction(job.org_id) as transaction,
            closing(_Progress(job, self._database)) as show,
        ):
            begin_staging(connection, job.org_id)
            # Opened after the wait for other imports: S3 drops a stream that nobody reads.
            reader = LeadReader(self._open(), chunk_rows=self._chunk_rows)
            blocks = ((chunk, copy_block(chunk.leads)) for chunk in reader.chunks())
            # Closed here, or the error of a merge would keep the thread that reads.
            with closing(read_ahead(blocks)) as ready:
                for chunk, block in ready:
                    imported = leads = chunk.lead_count
                    if block:
                        created = merge(
                            connection, job.org_id, reader.fields, block, job.merge_strategy, job.created_by
                        )
                        imported = leads if created is None else created
                    tally.add(imported, leads - imported, len(chunk.faulty), chunk.errors)
                    show(tally.counts.total)
            if not job.dry_run:
                tally.complete(connection, job, reader.ignored_columns)
                transaction.commit()
        if job.dry_run:
            with connection.transaction(job.org_id) as transaction:
                tally.complete(connection, job, reader.ignored_columns)
                transaction.commit()
        return tally.counts

    def _open(self) -> ByteSource:
        try:
            return self._bucket.open(self._file.key, self._file.version)
        except FileNotFoundError as error:
            raise InvalidFile(
                FailureCode.FILE_GONE, "The file was deleted before it was imported. Send it again."
            ) from error


def _find_job(connection: Connection, file: StoredFile) -> tuple[str, int, str | None] | None:
    """Organisation and id of the file's job, and why it cannot be imported; a dropped file's job begins
    here.
    """
    if not file.key.startswith(DROP):
        upload = parse_upload_key(file.key)
        return (upload.org_id, upload.job_id, None) if upload else None
    drop = parse_drop_key(file.key)
    if drop is None:
        return None
    new = NewImportJob(
        drop.org_id,
        drop.filename,
        drop.merge_strategy,
        dry_run=False,
        created_by=DROP_USER,
        object_key=file.key,
        object_version=file.version,
    )
    return drop.org_id, create_import_job(connection, new), drop.problem


class _Tally:
    """What has become of the rows so far, and the first of their faults."""

    def __init__(self) -> None:
        self.counts = ImportCounts()
        self._faults: list[RowError] = []
        self._fault_count = 0

    def add(self, success: int, skipped: int, faulty: int, errors: list[RowError]) -> None:
        so_far = self.counts
        self.counts = ImportCounts(so_far.success + success, so_far.error + faulty, so_far.skipped + skipped)
        self._faults.extend(errors[: REPORTED_FAULTS - len(self._faults)])
        self._fault_count += len(errors)

    def complete(self, connection: Connection, job: ClaimedImportJob, ignored: tuple[str, ...]) -> None:
        complete_import_job(connection, job, self.counts, self._faults, self._fault_count, ignored)


class _Progress:
    """Shows how far a job is, through a connection of its own, twice a second at the most; a failure costs
    nothing.
    """

    def __init__(self, job: ClaimedImportJob, database: Database) -> None:
        self._job = job
        self._database = database
        self._connection: Connection | None = None
        self._shown_at = time.monotonic()

    def __call__(self, processed: int) -> None:
        if time.monotonic() - self._shown_at < _PROGRESS_SECONDS:
            return
        try:
            self._connection = self._connection or self._database.connect()
            record_progress(self._connection, self._job.org_id, self._job.id, processed)
        except DatabaseFault:
            self.close()
        self._shown_at = time.monotonic()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
