"""Stream the leads of an export to its file in S3 and end its job.

That is one statement, one snapshot and one commit.

export_leads uses it while its caller waits, process_export without a caller.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, NamedTuple

from leads.domain.export_job import ExportJob
from leads.domain.job_status import JobStatus
from leads.errors import DatabaseFault, ExportTooLong, ServiceFault
from leads.formats.compression import GzipWriter
from leads.formats.dialect import BYTE_ORDER_MARK
from leads.jobs.keepalive import Keepalive
from leads.jobs.stores import Stores
from leads.postgres.connection import Connection
from leads.postgres.export import copy_leads
from leads.postgres.export_jobs import complete_export_job, get_settled_export_job
from leads.postgres.sqlstate import STATEMENT_TIMEOUT
from leads.s3.bucket import CSV_TYPE, GZIP_TYPE
from leads.s3.keys import export_key
from leads.s3.multipart_writer import MultipartWriter

INTERNAL_FAULT: Final = "An internal error occurred during the export. Ask for it again."
"""The reason of a job that failed through no fault of its caller."""

IDLE_SECONDS: Final = 150.0
"""Time that the last rows may wait here for S3, when no ping can be sent before Postgres' answer is read.

It covers the start of an upload and the parts before, each for as long as three tries take (48 s).
"""


def _ignore(rows: int) -> None:
    """Record no progress: the caller waits for the answer itself."""


def export_file(
    connection: Connection,
    job: ExportJob,
    stores: Stores,
    *,
    seconds: float,
    progress: Callable[[int], object] = _ignore,
) -> ExportJob:
    """Write the file and return the job, COMPLETED. `progress` is called with the number of rows so far.

    Unless it returns, the job has not ended and nothing of the export is in the bucket. The one exception is
    a file that S3 stored without an answer: the next run replaces it, or it expires.

    Raises:
        ExportTooLong: The file was not complete after `seconds`.
        ServiceFault: Postgres or S3 failed.
    """
    deadline = time.monotonic() + seconds
    key = export_key(job.org_id, job.id, job.filename)
    with MultipartWriter(stores.bucket, key, GZIP_TYPE if job.order.gzip else CSV_TYPE) as writer:
        version = None
        try:
            with connection.transaction(job.org_id) as transaction:
                # The sink checks the deadline when rows come; this ends a statement that returns none.
                transaction.limit_statements(seconds)
                transaction.set_idle_timeout(IDLE_SECONDS)
                sink = _Sink(writer, job, deadline, progress)
                row_count = copy_leads(connection, job.org_id, job.order, sink)
                sink.close()
                done = complete_export_job(
                    connection, job.org_id, job.id, row_count=row_count, size_bytes=writer.size
                )
                version = _close(writer, connection)
                transaction.commit()
        except DatabaseFault as fault:
            if version is not None:
                return _settle(job, _StoredExport(key, version), stores, fault)
            if fault.sqlstate == STATEMENT_TIMEOUT and time.monotonic() > deadline:
                raise ExportTooLong("the export's statement was out of time") from fault
            raise
        return done


def _close(writer: MultipartWriter, connection: Connection) -> str:
    with ThreadPoolExecutor(1, thread_name_prefix="close") as thread:
        return Keepalive(connection).wait_for(thread.submit(writer.close))


class _Sink:
    """Pass rows on to the file, until the deadline."""

    def __init__(
        self, writer: MultipartWriter, job: ExportJob, deadline: float, progress: Callable[[int], object]
    ) -> None:
        self._gzipped = GzipWriter(writer.write) if job.order.gzip else None
        self._write = self._gzipped.write if self._gzipped else writer.write
        self._deadline = deadline
        self._progress = progress
        # COPY counts the header line, too.
        self._rows = -1
        if job.order.excel:
            self._write(BYTE_ORDER_MARK.encode())

    def write(self, data: bytes, rows: int, /) -> None:
        """Write some whole rows. Raises ExportTooLong, and ServiceFault if S3 fails."""
        if time.monotonic() > self._deadline:
            raise ExportTooLong("the export was out of time")
        self._write(data)
        self._rows += rows
        self._progress(self._rows)

    def close(self) -> None:
        """Write the rest of a compressed file."""
        if self._gzipped:
            self._gzipped.close()


class _StoredExport(NamedTuple):
    """The file that S3 has stored before the job's commit."""

    key: str
    version: str


def _settle(job: ExportJob, stored: _StoredExport, stores: Stores, fault: DatabaseFault) -> ExportJob:
    """Return the job if only the reply to its COMMIT was lost. Else delete the file and raise `fault`.

    The file is deleted by version, because another run may have stored one since. While Postgres cannot be
    asked, the file stays until it expires.
    """
    try:
        with stores.database.connect() as connection:
            settled = get_settled_export_job(connection, job.org_id, job.id)
    except DatabaseFault:
        raise fault from None
    if settled is not None and settled.status is JobStatus.COMPLETED:
        return settled
    with suppress(ServiceFault):
        stores.bucket.delete_version(stored.key, stored.version)
    raise fault
