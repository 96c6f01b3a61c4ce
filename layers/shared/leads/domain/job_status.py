"""Name the states of an import or an export."""

from enum import StrEnum


class JobStatus(StrEnum):
    """A job is PENDING until a run claims it, and PROCESSING until that run or a later one ends it."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Tell whether the job is COMPLETED or FAILED."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED)
