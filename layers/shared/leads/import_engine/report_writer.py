"""Writes the report of a job while the job runs, beside the thread that talks to Postgres."""

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

_SMALL: Final = 1024 * 1024
"""Bytes of a report that never touches the disk."""


class StoredReport(NamedTuple):
    """Where a report lies. Another run of the same job puts another version there."""

    key: str
    version: str


class ReportWriter:
    """The file of the rows that were not imported. Nothing is in the bucket before `close`, and nothing ever
    when every row was imported. Use it as a context manager: without `close` it leaves nothing.

    It is written in a thread of its own; who waits for that keeps talking to Postgres.
    """

    def __init__(self, bucket: Bucket, key: str, layout: ReportFormat, talk: Keepalive) -> None:
        self._key = key
        self._format = layout
        self._writer = MultipartWriter(bucket, key, CSV_TYPE, new_part=_new_part)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="report")
        self._talk = talk
        self._writing: Future[None] | None = None

    def __enter__(self) -> "ReportWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._thread:
            self._talk.wait_for(self._thread.submit(self._writer.__exit__, kind))

    def add(self, batches: Sequence[Batch], skipped: Sequence[int]) -> None:
        """Takes what came of some batches, of which these rows were skipped, for writing.

        One call's rows are written while the next one's are merged. Raises ServiceFault, for an earlier call.
        """
        self._finish()
        if skipped or any(batch.faulty for batch in batches):
            self._writing = self._thread.submit(self._write, batches, skipped)

    def close(self) -> StoredReport | None:
        """Makes the report appear, whole, and says where; None when there is nothing to report.

        Raises ServiceFault: then it is not there, or S3 stored it and did not say so, and it expires.
        """
        self._finish()
        if not self._writer.size:
            return None
        return StoredReport(self._key, self._talk.wait_for(self._thread.submit(self._writer.close)))

    def _finish(self) -> None:
        if self._writing is not None:
            self._talk.wait_for(self._writing)
            self._writing = None

    def _write(self, batches: Sequence[Batch], skipped: Sequence[int]) -> None:
        if not self._writer.size:
            self._writer.write(self._format.header())
        done = 0
        for batch in batches:
            upto = bisect_right(skipped, batch.last_row)
            if upto > done or batch.faulty:
                self._writer.write(batch.report_lines(skipped[done:upto]))
            done = upto


def _new_part() -> IO[bytes]:
    """On disk unless it is small: memory is for the rows. The file has no name and goes with its handle."""
    return cast(IO[bytes], SpooledTemporaryFile(_SMALL))
