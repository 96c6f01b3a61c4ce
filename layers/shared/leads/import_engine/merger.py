"""What becomes of the rows of an import: staged and merged once there are enough, counted and reported.

How they are read is in import_batches.py; the transaction, and how the job ends, in import_file.py.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from leads.domain.duplicate_hints import DuplicateHints
from leads.domain.import_job import FinishedImport, ImportCounts
from leads.domain.row_error import RowError
from leads.import_engine.batches import Batch, FileLayout
from leads.import_engine.deadline import TimeLeft
from leads.import_engine.report_writer import ReportWriter, StoredReport
from leads.jobs import keepalive
from leads.postgres.connection import Connection
from leads.postgres.import_jobs import ClaimedImportJob
from leads.postgres.staging import merge, stage

_T = TypeVar("_T")

MERGE_BYTES: Final = 16 * 1024 * 1024
"""Of rows and their lines for the report, after which a merge comes before it has `merge_rows`: rows may be
long.
"""


def taken_out(items: list[_T]) -> Iterator[_T]:
    """The items, none of which stays in the list, whoever still has that: what is Postgres's must not take
    memory during a merge.
    """
    items.reverse()
    while items:
        yield items.pop()


class BatchMerger:
    """What has become of the rows so far."""

    def __init__(
        self,
        connection: Connection,
        job: ClaimedImportJob,
        layout: FileLayout,
        report: ReportWriter,
        time_left: TimeLeft,
        *,
        initial_merge_rows: int,
        merge_rows: int,
    ) -> None:
        self.processed = 0
        self._connection = connection
        self._job = job
        self._layout = layout
        self._report = report
        self._time_left = time_left
        self._counts = ImportCounts()
        self._faults: list[RowError] = []
        self._fault_count = 0
        self._blocks: list[bytes] = []
        self._waiting: list[Batch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._spoke_at = time.monotonic()
        self._merge_rows = merge_rows
        # Postgres must not wait for the first `merge_rows` rows: each merge is twice as large as the last.
        self._next_merge = initial_merge_rows

    def add(self, batches: Iterable[Batch]) -> None:
        """Takes batches, and stages and merges what there is whenever that is enough."""
        self._time_left.check()
        for batch in batches:
            self._take(batch)
            if self._waiting_rows >= self._next_merge or self._waiting_bytes >= MERGE_BYTES:
                self._merge()
                self._next_merge = min(2 * self._next_merge, self._merge_rows)
        if time.monotonic() - self._spoke_at > keepalive.PING_SECONDS:
            # Rows that come slowly, or are blank or faulty, give Postgres nothing to do.
            self._connection.query("SELECT 1")
            self._spoke_at = time.monotonic()

    def _take(self, batch: Batch) -> None:
        if not batch.leads and not batch.faulty:
            return
        if batch.block:
            self._blocks.append(batch.block)
        self._faults.extend(batch.errors)
        self._fault_count += batch.error_count
        # The rows are kept until they are staged, what the report needs until they are merged.
        self._waiting.append(batch._replace(block=b""))
        self._waiting_rows += batch.leads + batch.faulty
        self._waiting_bytes += len(batch.block) + len(batch.packed)
        self.processed += batch.leads + batch.faulty

    def finish(self) -> tuple[FinishedImport, StoredReport | None]:
        """Merges the rest and completes the report."""
        self._merge()
        # S3 may take its time now: a run that has none left makes no report, and the statements that follow
        # must not outlast it.
        self._time_left.limit_statements()
        report = self._report.close()
        finished = FinishedImport(
            counts=self._counts,
            faults=tuple(self._faults),
            fault_count=self._fault_count,
            ignored_columns=self._layout.ignored_columns,
            report_key=report.key if report is not None else None,
        )
        return finished, report

    def _suspicion(self) -> DuplicateHints | None:
        together = DuplicateHints([], [], [])
        for batch in self._waiting:
            if batch.suspicion is None:
                return None
            for rows, more in zip(together, batch.suspicion, strict=True):
                rows.extend(more)
        return together

    def _merge(self) -> None:
        leads = sum(batch.leads for batch in self._waiting)
        skipped: list[int] = []
        if leads:
            self._time_left.limit_statements()
            job = self._job
            # The driver remembers what it was given, for longer than it needs it.
            stage(self._connection, self._layout.fields, taken_out(self._blocks))
            suspicion = self._suspicion()
            skipped = merge(self._connection, job.org_id, job.merge_strategy, job.created_by, suspicion)
            if suspicion is not None:
                skipped = sorted(skipped + suspicion.certain_duplicates)
            self._spoke_at = time.monotonic()
        so_far = self._counts
        self._counts = ImportCounts(
            success=so_far.success + leads - len(skipped),
            error=so_far.error + sum(batch.faulty for batch in self._waiting),
            skipped=so_far.skipped + len(skipped),
        )
        self._report.add(self._waiting, skipped)
        self._waiting = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
