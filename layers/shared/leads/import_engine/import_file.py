"""Reads, checks and merges the file of a claimed job and ends the job, all in one transaction: the heart of
process_import.

While Postgres merges some rows, the next ones are read and checked and the last ones reported.
"""

from collections.abc import Callable, Generator
from contextlib import closing, suppress
from itertools import chain
from typing import Final, NamedTuple

from leads.domain.import_job import FinishedImport, ImportCounts
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import DatabaseFault, ServiceFault
from leads.formats.reader import CHUNK_ROWS
from leads.import_engine.batches import Batch, FileLayout, read_batches
from leads.import_engine.deadline import TimeLeft, TimelyReader
from leads.import_engine.merger import BatchMerger, taken_out
from leads.import_engine.organisation_lock import open_in_turn
from leads.import_engine.phone_filter import StoredPhones
from leads.import_engine.read_ahead import read_ahead
from leads.import_engine.reader_process import ReaderProcess
from leads.import_engine.report_writer import ReportWriter, StoredReport
from leads.jobs import keepalive
from leads.jobs.keepalive import Keepalive
from leads.jobs.progress import Progress
from leads.postgres.connection import Connection, Database, Transaction
from leads.postgres.import_jobs import ClaimedImportJob, complete_import_job, record_progress
from leads.postgres.sqlstate import STATEMENT_TIMEOUT
from leads.postgres.staging import begin_staging, stored_phone_suffixes
from leads.s3.bucket import Bucket
from leads.s3.keys import report_key
from leads.s3.reader import ObjectReader

MERGE_ROWS: Final = 40_000
"""Rows merged at once: a merge has fixed costs, and finds phones that lie close together faster. Not more,
because their lines are kept for the report until then; bench/README.md has the figures.
"""

APART_BYTES: Final = 4 * 1024 * 1024
"""From this size on a file is read in a process of its own. That takes 0.1 s to start, so the small files for
whose answer somebody waits do without: this is what a request may carry.
"""

SUSPECTS_BYTES: Final = APART_BYTES
"""From this size on the phones of stored leads are asked for first, so that most rows need no look-up."""


class Sizes(NamedTuple):
    """How a file is cut up. The outcome is the same for all sizes, which a test shows."""

    chunk_rows: int = CHUNK_ROWS
    merge_rows: int = MERGE_ROWS
    apart_bytes: int = APART_BYTES
    suspects_bytes: int = SUSPECTS_BYTES


def import_file(
    connection: Connection,
    job: ClaimedImportJob,
    open_file: Callable[[], ObjectReader],
    *,
    announced_size: int,
    database: Database,
    bucket: Bucket,
    seconds: float,
    sizes: Sizes,
) -> ImportCounts:
    """Imports what `open_file` gives and ends the job as COMPLETED, which is all that a dry run keeps.

    `announced_size`, in bytes and 0 when it is not known, tells what to make ready for the file.

    Raises InvalidFile, ImportTooLong after `seconds`, OrganisationBusy when too many of them went by
    before its turn came, and ServiceFault: then nothing is kept.
    """
    with connection.transaction(job.org_id) as transaction:
        time_left = TimeLeft(transaction, seconds)
        try:
            with ReaderProcess() as apart:
                if announced_size > sizes.apart_bytes:
                    apart.start()
                finished, report = _merge_file(
                    connection, job, open_file, apart, database, bucket, time_left, sizes
                )
        except DatabaseFault as fault:
            if fault.sqlstate == STATEMENT_TIMEOUT:
                # Somebody else's limit may be shorter: then this raises nothing.
                time_left.check()
            raise
        if not job.dry_run:
            _complete(connection, transaction, job, finished, report, bucket)
    if job.dry_run:
        with connection.transaction(job.org_id) as transaction:
            _complete(connection, transaction, job, finished, report, bucket)
    return finished.counts


def _complete(
    connection: Connection,
    transaction: Transaction,
    job: ClaimedImportJob,
    finished: FinishedImport,
    report: StoredReport | None,
    bucket: Bucket,
) -> None:
    try:
        complete_import_job(connection, job, finished)
    except ServiceFault:
        # Nothing will link to the report. After a COMMIT without an answer something may. And under its key
        # may be another one: of a run that took the job when our connection was gone, and completed it.
        if report is not None:
            with suppress(ServiceFault):
                bucket.delete_version(*report)
        raise
    transaction.commit()


def _merge_file(
    connection: Connection,
    job: ClaimedImportJob,
    open_file: Callable[[], ObjectReader],
    apart: ReaderProcess,
    database: Database,
    bucket: Bucket,
    time_left: TimeLeft,
    sizes: Sizes,
) -> tuple[FinishedImport, StoredReport | None]:
    with closing(open_in_turn(connection, job.org_id, open_file, time_left)) as file:
        begin_staging(connection, job.merge_strategy)
        batches = _batches(connection, job, TimelyReader(file, time_left), apart, sizes)
        return _merge_batches(connection, job, batches, database, bucket, time_left, sizes)


def _batches(
    connection: Connection, job: ClaimedImportJob, source: TimelyReader, apart: ReaderProcess, sizes: Sizes
) -> Generator[FileLayout | Batch, None, None]:
    """What is read of the file, by whom its size says."""
    read = apart.read_batches if source.size > sizes.apart_bytes else read_batches
    may_skip = job.merge_strategy is MergeStrategy.SKIP
    few_suspects = may_skip and source.size > sizes.suspects_bytes
    tails = stored_phone_suffixes(connection, job.org_id) if few_suspects else None
    known = StoredPhones(tails, recent=max(sizes.merge_rows, sizes.chunk_rows)) if tails is not None else None
    return read(source, chunk_rows=sizes.chunk_rows, may_skip=may_skip, known=known)


def _merge_batches(
    connection: Connection,
    job: ClaimedImportJob,
    batches: Generator[FileLayout | Batch, None, None],
    database: Database,
    bucket: Bucket,
    time_left: TimeLeft,
    sizes: Sizes,
) -> tuple[FinishedImport, StoredReport | None]:
    talk = Keepalive(connection)
    ahead = read_ahead(batches, weigh=_weight, meanwhile=talk.ping, every=keepalive.PING_SECONDS)
    with closing(ahead) as ready, closing(Progress(database, _record(job))) as show:
        layout, first = _layout(next(ready))
        with ReportWriter(bucket, report_key(job.org_id, job.id), layout.report_format, talk) as report:
            run = BatchMerger(
                connection,
                job,
                layout,
                report,
                time_left,
                initial_merge_rows=sizes.chunk_rows,
                merge_rows=sizes.merge_rows,
            )
            for items in chain([first], ready):
                run.add(item for item in taken_out(items) if isinstance(item, Batch))
                show(run.processed)
            return run.finish()


def _weight(item: FileLayout | Batch) -> int:
    return len(item.block) + len(item.packed) if isinstance(item, Batch) else 0


def _record(job: ClaimedImportJob) -> Callable[[Connection, int], None]:
    return lambda connection, processed: record_progress(connection, job.org_id, job.id, processed)


def _layout(items: list[FileLayout | Batch]) -> tuple[FileLayout, list[FileLayout | Batch]]:
    """The first item, and the list without it: who made the list has it, too, and a copy would keep what is
    taken out of it.
    """
    first = items.pop(0)
    if not isinstance(first, FileLayout):
        raise TypeError("a file's layout comes before its batches")
    return first, items
