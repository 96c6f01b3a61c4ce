"""Where an import or an export stands."""

from enum import StrEnum


class JobStatus(StrEnum):
    """PENDING until a run takes it, PROCESSING until that run or a later one ends it for good."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to the job by itself."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED)
