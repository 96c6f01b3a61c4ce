"""Describe an export, from the order of its caller to its file."""

from dataclasses import dataclass, field
from datetime import datetime

from leads.domain.failure_code import FailureCode
from leads.domain.job_status import JobStatus
from leads.domain.lead_filter import DEFAULT_COLUMNS, LeadFilter


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """The leads and columns that a caller wants, and the format of the file."""

    leads: LeadFilter = field(default_factory=LeadFilter)
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    excel: bool = False
    """Written for a French Excel: with a byte order mark and `;`."""
    gzip: bool = False
    """Compressed, with a name that ends with .gz."""

    def filename(self, now: datetime) -> str:
        """Return the name of the download (our API): ASCII characters that are safe in an HTTP header."""
        return f"leads_export_{now:%Y%m%d_%H%M%S}.csv{'.gz' if self.gzip else ''}"


@dataclass(frozen=True, slots=True)
class ExportJob:
    """An export as stored. Times are UTC; until COMPLETED, `row_count` is the progress."""

    id: int
    org_id: str
    filename: str
    order: ExportOrder
    status: JobStatus
    row_count: int
    size_bytes: int
    failure_code: FailureCode | None
    failure_reason: str | None
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None
    correlation_id: str | None = None
    """The id of the request or event that started it, by which its log lines are found."""

    @property
    def ended(self) -> bool:
        """Tell whether the job is COMPLETED or FAILED."""
        return self.status.ended
