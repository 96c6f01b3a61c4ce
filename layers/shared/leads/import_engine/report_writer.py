"""Write the report of an import while the import runs, in a thread of its own."""

from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from typing import IO, Final, NamedTuple, cast

from leads.formats.report import ReportFormat
from leads.import_engine.batches import Batch
from leads.jobs.keepalive import Keepalive
from leads.s3.bucket import CSV_TYPE, Bucket
from leads.s3.multipart_writer import MultipartWriter

_MAX_MEMORY_BYTES: Final = 1024 * 1024
"""Size up to which a part of a report stays in memory. Beyond it, memory is for the rows."""


class StoredReport(NamedTuple):
    """A report in the bucket. Another run of the same job stores another version under the key."""

    key: str
    version: str


class ReportWriter:
    """Write the rows that were not imported. A context manager: without `close` it leaves nothing.

    Nothing is in the bucket before `close`, and nothing ever if every row was imported. While the caller
    waits for the thread, Postgres is pinged.
    """

    def __init__(self, bucket: Bucket, key: str, report_format: ReportFormat, keepalive: Keepalive) -> None:
        self._key = key
        self._format = report_format
        self._writer = MultipartWriter(bucket, key, CSV_TYPE, new_part=_new_part)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="report")
        self._keepalive = keepalive
        self._writing: Future[None] | None = None

    def __enter__(self) -> "ReportWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._thread:
            self._keepalive.wait_for(self._thread.submit(self._writer.__exit__, kind))

    def add(self, batches: Sequence[Batch], skipped: Sequence[int]) -> None:
        """Write the faulty rows of some batches and the rows of them that were skipped.

        One call's rows are written while the next call's are merged. Raises ServiceFault of an earlier call.
        """
        self._finish()
        if skipped or any(batch.faulty for batch in batches):
            self._writing = self._thread.submit(self._write, batches, skipped)

    def close(self) -> StoredReport | None:
        """Store the report, whole, and return where it is. None if there is nothing to report.

        Raises ServiceFault: then no report is stored, or S3 stored it without an answer, and it expires.
        """
        self._finish()
        if not self._writer.size:
            return None
        return StoredReport(self._key, self._keepalive.wait_for(self._thread.submit(self._writer.close)))

    def _finish(self) -> None:
        if self._writing is not None:
            self._keepalive.wait_for(self._writing)
            self._writing = None

    def _write(self, batches: Sequence[Batch], skipped: Sequence[int]) -> None:
        if not self._writer.size:
            self._writer.write(self._format.header())
        done = 0
        for batch in batches:
            end = bisect_right(skipped, batch.last_row)
            if end > done or batch.faulty:
                self._writer.write(batch.report_lines(skipped[done:end]))
            done = end


def _new_part() -> IO[bytes]:
    """Return a file for a part, on disk unless it is small. It has no name and is deleted when closed."""
    return cast(IO[bytes], SpooledTemporaryFile(_MAX_MEMORY_BYTES))
