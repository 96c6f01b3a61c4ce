"""An export from its request to its file."""

from dataclasses import dataclass
from datetime import datetime

from leads.domain.failure_code import FailureCode
from leads.domain.job_status import JobStatus
from leads.domain.lead_filter import DEFAULT_COLUMNS, LeadFilter


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What the caller wants in the file and how it is written."""

    leads: LeadFilter = LeadFilter()
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    excel: bool = False
    """As a French Excel opens it: with a byte order mark and `;`."""
    gzip: bool = False
    """Compressed, and named so."""

    def filename(self, now: datetime) -> str:
        """What the download is called (our API): ASCII, without anything that a header could not hold."""
        return f"leads_export_{now:%Y%m%d_%H%M%S}.csv{'.gz' if self.gzip else ''}"


@dataclass(frozen=True, slots=True)
class ExportJob:
    """A job as its history shows it. Times are UTC; rows are those so far until COMPLETED."""

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
    """Of the request or event that began it: its lines in the logs have it."""

    @property
    def ended(self) -> bool:
        return self.status.ended
