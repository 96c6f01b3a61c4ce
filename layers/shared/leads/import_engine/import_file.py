"""Import the file of a claimed job and end the job, all in one transaction.

While Postgres merges some rows, the next ones are read and checked, and the last ones reported.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from typing import NamedTuple

from leads.domain.import_job import FinishedImport, ImportCounts
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import DatabaseFault, ServiceFault
from leads.import_engine.batches import Batches, FileLayout, ReadTask, read_batches
from leads.import_engine.deadline import Deadline, DeadlineReader
from leads.import_engine.merger import BatchMerger, drain
from leads.import_engine.organisation_lock import wait_for_organisation
from leads.import_engine.phone_filter import StoredPhones
from leads.import_engine.read_ahead import ReadAhead
from leads.import_engine.reader_process import ReaderProcess
from leads.import_engine.report_writer import ReportWriter, StoredReport
from leads.import_engine.sizes import Sizes
from leads.jobs.keepalive import Keepalive
from leads.jobs.progress import Progress
from leads.postgres.connection import Connection, Database, Transaction
from leads.postgres.import_jobs import ClaimedImportJob, complete_import_job, record_progress
from leads.postgres.locks import try_lock
from leads.postgres.sqlstate import STATEMENT_TIMEOUT
from leads.postgres.staging import Staging
from leads.s3.bucket import SourceFile
from leads.s3.keys import report_key
from leads.s3.reader import ObjectReader


class _Merged(NamedTuple):
    """The result of an import whose job can end."""

    finished: FinishedImport
    report: StoredReport | None


class FileImport:
    """Import one file for one claimed job, once."""

    def __init__(
        self,
        connection: Connection,
        job: ClaimedImportJob,
        source: SourceFile,
        database: Database,
        sizes: Sizes,
    ) -> None:
        """Prepare the import. `database` is for the second connection, which records the progress."""
        self._connection = connection
        self._job = job
        self._source = source
        self._database = database
        self._sizes = sizes
        self._keepalive = Keepalive(connection)
        self._staging = Staging(connection, job.org_id, job.merge_strategy, created_by=job.created_by)

    def run(self, seconds: float) -> ImportCounts:
        """Import the file within `seconds` and end the job as COMPLETED, which is all that a dry run keeps.

        Unless it returns, nothing is stored.

        Raises:
            InvalidFile: The file as a whole cannot be imported.
            ImportTooLong: The time was not enough.
            OrganisationBusy: Other imports of the organisation took too much of the time.
            ServiceFault: Postgres or S3 failed.
        """
        with self._connection.transaction(self._job.org_id) as transaction:
            deadline = Deadline(transaction, seconds)
            try:
                with ReaderProcess() as process:
                    if self._source.size > self._sizes.reader_process_bytes:
                        process.start()
                    merged = self._merge(process, deadline)
            except DatabaseFault as fault:
                if fault.sqlstate == STATEMENT_TIMEOUT:
                    # If the limit was another one's and shorter, this raises nothing.
                    deadline.check()
                raise
            if not self._job.dry_run:
                self._complete(transaction, merged)
        if self._job.dry_run:
            with self._connection.transaction(self._job.org_id) as transaction:
                self._complete(transaction, merged)
        return merged.finished.counts

    def _merge(self, process: ReaderProcess, deadline: Deadline) -> _Merged:
        """Merge the rows once the organisation's lock is held, and store the report."""
        with closing(self._open_when_locked(deadline)) as file:
            self._staging.create()
            read = self._reader(DeadlineReader(file, deadline), process)
            with (
                closing(ReadAhead(read, self._keepalive)) as ahead,
                closing(Progress(self._database, self._record_progress)) as progress,
            ):
                layout = ahead.layout()
                with self._report(layout) as report:
                    merger = BatchMerger(self._staging, layout, report, deadline, self._sizes)
                    for batches in ahead:
                        merger.add(drain(batches))
                        # Postgres has nothing to do while rows come slowly, or are blank or faulty.
                        self._keepalive.ping_if_due()
                        progress(merger.processed)
                    return _Merged(*merger.finish())

    def _open_when_locked(self, deadline: Deadline) -> ObjectReader:
        """Return the file, open, once this import holds its organisation's lock."""
        with ExitStack() as unread:
            file = unread.enter_context(closing(self._source.open()))
            if try_lock(self._connection, self._job.org_id):
                unread.pop_all()
                return file
        # Open the file again after the wait: S3 drops a stream that is not read.
        wait_for_organisation(self._connection, self._job.org_id, file.size, deadline)
        return self._source.open()

    def _reader(
        self, file: DeadlineReader, process: ReaderProcess
    ) -> Callable[[], tuple[FileLayout, Batches]]:
        """Return what reads the file: a large one's reader process, or this process."""
        task = self._read_task(file.size)
        if file.size > self._sizes.reader_process_bytes:
            return lambda: process.read_batches(file, task)
        return lambda: read_batches(file, task)

    def _read_task(self, size: int) -> ReadTask:
        may_skip = self._job.merge_strategy is MergeStrategy.SKIP
        suffixes = None
        if may_skip and size > self._sizes.phone_filter_bytes:
            suffixes = self._staging.stored_phone_suffixes()
        unmerged_rows = max(self._sizes.merge_rows, self._sizes.chunk_rows)
        stored = StoredPhones(suffixes, recent=unmerged_rows) if suffixes is not None else None
        return ReadTask(self._sizes.chunk_rows, may_skip, stored)

    def _report(self, layout: FileLayout) -> ReportWriter:
        key = report_key(self._job.org_id, self._job.id)
        return ReportWriter(self._source.bucket, key, layout.report_format, self._keepalive)

    def _record_progress(self, connection: Connection, rows: int) -> None:
        record_progress(connection, self._job.org_id, self._job.id, rows)

    def _complete(self, transaction: Transaction, merged: _Merged) -> None:
        try:
            complete_import_job(self._connection, self._job, merged.finished)
        except ServiceFault:
            # Nothing will link to the report. After a COMMIT without a reply, something may. Another report
            # may be under its key: of a run that claimed the job after our connection died, and completed it.
            if merged.report is not None:
                with suppress(ServiceFault):
                    self._source.bucket.delete_version(*merged.report)
            raise
        transaction.commit()
