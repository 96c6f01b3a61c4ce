"""An import from its file's arrival to its result."""

from dataclasses import dataclass
from datetime import datetime

from leads.domain.failure_code import FailureCode
from leads.domain.job_status import JobStatus
from leads.domain.merge_strategy import MergeStrategy
from leads.domain.row_error import RowError

REPORTED_FAULTS = 1000
"""How many faults a job keeps for its answer and its history: enough to see what is wrong, small enough for
one row of the database and one answer (our API).
"""


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What the caller wants done with a file."""

    filename: str
    merge_strategy: MergeStrategy
    dry_run: bool


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A file and what the caller wants done with it."""

    order: ImportOrder
    content: bytes
    key: str | None = None
    """The Idempotency-Key, if the request has one."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Where and until when a caller may put the file of a job, as a form POST of these fields and `file`."""

    job_id: int
    url: str
    fields: dict[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What became of the file's rows: `total = success + error + skipped`, always."""

    success: int = 0
    error: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        return self.success + self.error + self.skipped


@dataclass(frozen=True, slots=True)
class FinishedImport:
    """What an import leaves in its job: among others the first of its faults and how many there are, and the
    key of the report of the rows that were not imported, None when all were.
    """

    counts: ImportCounts
    faults: tuple[RowError, ...]
    fault_count: int
    ignored_columns: tuple[str, ...]
    report_key: str | None


@dataclass(frozen=True, slots=True)
class ImportJob:
    """A job as its history shows it. Times are UTC; counts are 0 until COMPLETED."""

    id: int
    org_id: str
    filename: str
    merge_strategy: MergeStrategy
    dry_run: bool
    status: JobStatus
    counts: ImportCounts
    processed_rows: int
    faults: tuple[RowError, ...]
    fault_count: int
    ignored_columns: tuple[str, ...]
    report_key: str | None
    failure_code: FailureCode | None
    failure_reason: str | None
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None
    correlation_id: str | None = None
    """Of the request or event that began it: its lines in the logs have it."""
    attempts: int = 0
    """Deliveries of its event that have taken it; the last one of a job that is over ended it."""

    @property
    def ended(self) -> bool:
        return self.status.ended
