"""Streams the leads of an export to its file in S3 and ends its job: one statement, one snapshot, one commit.

Used by export_leads while its caller waits, and by process_export.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from leads.domain.export_job import ExportJob
from leads.domain.job_status import JobStatus
from leads.errors import DatabaseFault, ExportTooLong, ServiceFault
from leads.formats.compression import GzipWriter
from leads.formats.dialect import BYTE_ORDER_MARK
from leads.jobs.keepalive import Keepalive
from leads.postgres.connection import Connection, Database
from leads.postgres.export import copy_leads
from leads.postgres.export_jobs import complete_export_job, get_settled_export_job
from leads.postgres.sqlstate import STATEMENT_TIMEOUT
from leads.s3.bucket import CSV_TYPE, GZIP_TYPE, Bucket
from leads.s3.keys import export_key
from leads.s3.multipart_writer import MultipartWriter

OUR_FAULT: Final = "The export failed because of a fault on our side. Ask for it again."
"""What a job says whose run did not work."""

IDLE_SECONDS: Final = 150.0
"""What Postgres has sent last may wait here for S3, and no statement can be sent before it is taken: for the
begin of an upload and for the parts before, each for as long as three tries take (48 s). Then we keep
talking.
"""


def export_file(
    connection: Connection,
    job: ExportJob,
    *,
    database: Database,
    bucket: Bucket,
    seconds: float,
    show: Callable[[int], object] = lambda rows: None,
) -> ExportJob:
    """Writes the file and gives the job, COMPLETED. `show` is told the number of rows so far.

    Raises ExportTooLong after `seconds`, ServiceFault; then its job has not ended, and nothing of the export
    is in the bucket, unless S3 stored it and did not say so: that is replaced by the next run, or expires.
    """
    deadline = time.monotonic() + seconds
    key = export_key(job.org_id, job.id, job.filename)
    with MultipartWriter(bucket, key, GZIP_TYPE if job.order.gzip else CSV_TYPE) as writer:
        version = None
        try:
            with connection.transaction(job.org_id) as transaction:
                # The sink looks at the clock when rows come; this ends a statement that gives none.
                transaction.limit_statements(seconds)
                transaction.set_idle_timeout(IDLE_SECONDS)
                sink = _Sink(writer, job, deadline, show)
                row_count = copy_leads(connection, job.org_id, job.order, sink)
                sink.close()
                done = complete_export_job(
                    connection, job.org_id, job.id, row_count=row_count, size_bytes=writer.size
                )
                version = _close(writer, connection)
                transaction.commit()
        except DatabaseFault as fault:
            if version is not None:
                return _kept_after_all(job, key, version, database, bucket, fault)
            if fault.sqlstate == STATEMENT_TIMEOUT and time.monotonic() > deadline:
                raise ExportTooLong("the export's statement was out of time") from fault
            raise
        return done


def _close(writer: MultipartWriter, connection: Connection) -> str:
    with ThreadPoolExecutor(1, thread_name_prefix="close") as thread:
        return Keepalive(connection).wait_for(thread.submit(writer.close))


class _Sink:
    """Takes the rows on their way to the file, and gives up when its time is over."""

    def __init__(
        self, writer: MultipartWriter, job: ExportJob, deadline: float, show: Callable[[int], object]
    ) -> None:
        self._gzipped = GzipWriter(writer.write) if job.order.gzip else None
        self._write = self._gzipped.write if self._gzipped else writer.write
        self._deadline = deadline
        self._show = show
        # COPY counts the header line, too.
        self._rows = -1
        if job.order.excel:
            self._write(BYTE_ORDER_MARK.encode())

    def write(self, data: bytes, rows: int, /) -> None:
        if time.monotonic() > self._deadline:
            raise ExportTooLong("the export was out of time")
        self._write(data)
        self._rows += rows
        self._show(self._rows)

    def close(self) -> None:
        if self._gzipped:
            self._gzipped.close()


def _kept_after_all(
    job: ExportJob, key: str, version: str, database: Database, bucket: Bucket, fault: DatabaseFault
) -> ExportJob:
    """The job, when only the answer to its COMMIT was lost; else takes away the file that appeared before,
    not one that another run put since, and raises the fault. As long as nobody can tell, it stays until it
    expires.
    """
    try:
        with database.connect() as connection:
            after = get_settled_export_job(connection, job.org_id, job.id)
    except DatabaseFault:
        raise fault from None
    if after is not None and after.status is JobStatus.COMPLETED:
        return after
    with suppress(ServiceFault):
        bucket.delete_version(key, version)
    raise fault
