"""Describe what one delivery of an event did, and count it."""

from dataclasses import dataclass, field
from typing import Final

from leads.domain.import_job import ImportCounts
from leads.observability import increment

MAX_ATTEMPTS: Final = 3
"""Deliveries of one event: Lambda's first asynchronous invocation and its two retries."""

IGNORED: Final = "IGNORED"
COMPLETED: Final = "COMPLETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The effect of one delivery on its job.

    `job_id` is None when the event names no job. `ended` is COMPLETED, IGNORED, or the code of a failure.
    `fault` describes an internal failure.
    """

    job_id: int | None
    ended: str
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOutcome(Outcome):
    """An import's outcome. `counts` are zero unless it COMPLETED."""

    counts: ImportCounts = field(default_factory=ImportCounts)
    dry_run: bool = False
    sender_not_notified: bool = False
    """The result of a dropped file could not be written, so the event must be delivered again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOutcome(Outcome):
    """An export's outcome. The numbers are zero unless it COMPLETED."""

    row_count: int = 0
    size_bytes: int = 0


def count_import(outcome: ImportOutcome) -> None:
    """Add an outcome to the metrics that docs/operations.md lists."""
    if outcome.job_id is None:
        increment("ForeignKeys")
    elif outcome.ended == IGNORED:
        increment("EventsIgnored")
    elif outcome.ended == COMPLETED:
        increment("ImportsCompleted")
        if outcome.dry_run:
            increment("DryRuns")
            return
        increment("RowsImported", outcome.counts.success)
        increment("RowsRejected", outcome.counts.error)
        increment("RowsSkipped", outcome.counts.skipped)
    else:
        increment("ImportsFailed")


def count_export(outcome: ExportOutcome) -> None:
    """Add an outcome to the metrics that docs/operations.md lists.

    A failure is counted where the job ends, because an attempt that fails may leave the job open.
    """
    if outcome.job_id is None:
        increment("ForeignKeys")
    elif outcome.ended == IGNORED:
        increment("EventsIgnored")
    elif outcome.ended == COMPLETED:
        increment("ExportsCompleted")
        increment("RowsExported", outcome.row_count)
