"""What became of the delivery of an event, and how it is counted."""

from dataclasses import dataclass
from typing import Final

from leads.domain.import_job import ImportCounts
from leads.observability import increment

ATTEMPTS: Final = 3
"""Lambda's first asynchronous invocation and its two retries."""

IGNORED: Final = "IGNORED"
COMPLETED: Final = "COMPLETED"


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What became of an event: `job_id` is None when there is no job, `ended` what this run did to it:
    COMPLETED, IGNORED, or the code of its failure, of which `fault` says more when it is ours.
    """

    job_id: int | None
    ended: str
    counts: ImportCounts = ImportCounts()
    dry_run: bool = False
    fault: str | None = None
    sender_not_notified: bool = False
    """Whether the sender of a dropped file was not told of it: then the event must come again."""


@dataclass(frozen=True, slots=True)
class ExportOutcome:
    """What became of an event: `job_id` is None when there is no job, `ended` what this run did to it:
    COMPLETED, IGNORED, or the code of its failure, of which `fault` says more when it is ours.
    """

    job_id: int | None
    ended: str
    row_count: int = 0
    size_bytes: int = 0
    fault: str | None = None


def count_outcome(outcome: ImportOutcome) -> None:
    """Adds it to the metrics; docs/operations.md lists them."""
    if outcome.job_id is None:
        increment("ForeignKeys")
    elif outcome.ended == IGNORED:
        increment("EventsIgnored")
    elif outcome.ended == COMPLETED:
        increment("ImportsCompleted")
        if outcome.dry_run:
            # Nothing of it is kept.
            increment("DryRuns")
            return
        increment("RowsImported", outcome.counts.success)
        increment("RowsRejected", outcome.counts.error)
        increment("RowsSkipped", outcome.counts.skipped)
    else:
        increment("ImportsFailed")
