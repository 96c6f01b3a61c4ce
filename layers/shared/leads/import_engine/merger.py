"""Merge the batches of an import: stage rows, merge them once there are enough, count and report them."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from leads.domain.duplicate_hints import DuplicateHints
from leads.domain.import_job import FinishedImport, ImportCounts
from leads.domain.row_error import RowError
from leads.import_engine.batches import Batch, FileLayout
from leads.import_engine.deadline import Deadline
from leads.import_engine.report_writer import ReportWriter, StoredReport
from leads.import_engine.sizes import Sizes
from leads.postgres.staging import Staging

_T = TypeVar("_T")

MERGE_BYTES: Final = 16 * 1024 * 1024
"""Bytes of rows and report lines after which a merge starts early, because rows may be long."""


def drain(items: list[_T]) -> Iterator[_T]:
    """Return the items in order and remove each from the list.

    What Postgres has must not take memory during a merge, whatever else refers to the list.
    """
    items.reverse()
    while items:
        yield items.pop()


class BatchMerger:
    """Merge the batches of one file."""

    def __init__(
        self, staging: Staging, layout: FileLayout, report: ReportWriter, deadline: Deadline, sizes: Sizes
    ) -> None:
        self.processed = 0
        """Rows that were added, blank ones not counted."""
        self._staging = staging
        self._layout = layout
        self._report = report
        self._deadline = deadline
        self._counts = ImportCounts()
        self._faults: list[RowError] = []
        self._fault_count = 0
        self._blocks: list[bytes] = []
        self._unmerged: list[Batch] = []
        self._unmerged_rows = 0
        self._unmerged_bytes = 0
        self._merge_rows = sizes.merge_rows
        # Postgres must not wait for the first `merge_rows` rows: each merge is twice as large as the last.
        self._next_merge_rows = sizes.chunk_rows

    def add(self, batches: Iterable[Batch]) -> None:
        """Add batches, and stage and merge rows whenever there are enough.

        Raises as `Deadline.check`, ServiceFault.
        """
        self._deadline.check()
        for batch in batches:
            self._add(batch)
            if self._unmerged_rows >= self._next_merge_rows or self._unmerged_bytes >= MERGE_BYTES:
                self._merge()
                self._next_merge_rows = min(2 * self._next_merge_rows, self._merge_rows)

    def finish(self) -> tuple[FinishedImport, StoredReport | None]:
        """Merge the rest and complete the report. Raises as `add`."""
        self._merge()
        # S3 may take its time next. A run at its deadline stores no report, and the statements that follow
        # must not outlast it.
        self._deadline.limit_statements()
        report = self._report.close()
        finished = FinishedImport(
            counts=self._counts,
            faults=tuple(self._faults),
            fault_count=self._fault_count,
            ignored_columns=self._layout.ignored_columns,
            report_key=report.key if report is not None else None,
        )
        return finished, report

    def _add(self, batch: Batch) -> None:
        if not batch.leads and not batch.faulty:
            return
        if batch.block:
            self._blocks.append(batch.block)
        self._faults.extend(batch.errors)
        self._fault_count += batch.error_count
        # The rows stay until they are staged, what the report needs until they are merged.
        self._unmerged.append(batch._replace(block=b""))
        self._unmerged_rows += batch.leads + batch.faulty
        self._unmerged_bytes += batch.weight
        self.processed += batch.leads + batch.faulty

    def _merge(self) -> None:
        leads = sum(batch.leads for batch in self._unmerged)
        skipped: list[int] = []
        if leads:
            self._deadline.limit_statements()
            # Drained, because the driver refers to what it was given for longer than it needs it.
            self._staging.add(self._layout.fields, drain(self._blocks))
            skipped = self._staging.merge(self._hints())
        counts = self._counts
        self._counts = ImportCounts(
            success=counts.success + leads - len(skipped),
            error=counts.error + sum(batch.faulty for batch in self._unmerged),
            skipped=counts.skipped + len(skipped),
        )
        self._report.add(self._unmerged, skipped)
        self._unmerged = []
        self._unmerged_rows = 0
        self._unmerged_bytes = 0

    def _hints(self) -> DuplicateHints | None:
        together = DuplicateHints([], [])
        for batch in self._unmerged:
            if batch.hints is None:
                return None
            for rows, more in zip(together, batch.hints, strict=True):
                rows.extend(more)
        return together
