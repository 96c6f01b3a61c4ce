"""Describe an import, from the order of its caller to its result."""

from dataclasses import dataclass
from datetime import datetime

from leads.domain.failure_code import FailureCode
from leads.domain.job_status import JobStatus
from leads.domain.merge_strategy import MergeStrategy
from leads.domain.row_error import RowError

REPORTED_FAULTS = 1000
"""Faults that a job stores for its answer and its history (our API). More would swell one row of the database
and one answer; the report has all of them.
"""


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """The file name and the options of an import, as its caller chose them."""

    filename: str
    merge_strategy: MergeStrategy
    dry_run: bool
    key: str | None = None
    """The Idempotency-Key, if the request has one."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A file and the order of its caller."""

    order: ImportOrder
    content: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """A form by which the caller may send the file of a job until it expires: these fields, then `file`."""

    job_id: int
    url: str
    fields: dict[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """The rows of a file by their outcome."""

    success: int = 0
    error: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """Rows of the file that are not blank."""
        return self.success + self.error + self.skipped


@dataclass(frozen=True, slots=True)
class FinishedImport:
    """The result of an import, as its job stores it."""

    counts: ImportCounts
    faults: tuple[RowError, ...]
    """The first REPORTED_FAULTS of them."""
    fault_count: int
    ignored_columns: tuple[str, ...]
    report_key: str | None
    """The key of the report of the rows that were not imported; None if every row was."""


@dataclass(frozen=True, slots=True)
class ImportJob:
    """An import as stored. Times are UTC; counts are 0 until COMPLETED."""

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
    """The id of the request or event that started it, by which its log lines are found."""
    attempts: int = 0
    """Deliveries of its event that claimed the job. The last one of an ended job ended it."""

    @property
    def ended(self) -> bool:
        """Tell whether the job is COMPLETED or FAILED."""
        return self.status.ended
