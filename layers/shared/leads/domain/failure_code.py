"""Why a job failed, for programs."""

from enum import StrEnum


class FailureCode(StrEnum):
    """Why a job FAILED, for programs. An event that comes again finds INTERNAL and ORGANISATION_BUSY
    worth another attempt, and NOT_UPLOADED when the file comes after all.
    """

    EMPTY_FILE = "EMPTY_FILE"
    INVALID_CSV = "INVALID_CSV"
    INVALID_ENCODING = "INVALID_ENCODING"
    INVALID_HEADER = "INVALID_HEADER"
    INVALID_GZIP = "INVALID_GZIP"
    UNSUPPORTED_FILE = "UNSUPPORTED_FILE"
    INVALID_KEY = "INVALID_KEY"
    FILE_GONE = "FILE_GONE"
    REJECTED_BY_DATABASE = "REJECTED_BY_DATABASE"
    INTERNAL = "INTERNAL"
    ORGANISATION_BUSY = "ORGANISATION_BUSY"
    NOT_STORED = "NOT_STORED"
    NOT_UPLOADED = "NOT_UPLOADED"
    STACK_RESTARTED = "STACK_RESTARTED"
    IMPORT_TOO_LONG = "IMPORT_TOO_LONG"
    EXPORT_TOO_LONG = "EXPORT_TOO_LONG"

    @property
    def internal(self) -> bool:
        """Whether the fault is ours, not the file's."""
        return self in (
            FailureCode.REJECTED_BY_DATABASE,
            FailureCode.INTERNAL,
            FailureCode.ORGANISATION_BUSY,
            FailureCode.NOT_STORED,
            FailureCode.STACK_RESTARTED,
        )

    @property
    def may_be_repeated(self) -> bool:
        """Whether the same request may do better, since the file is not why: nothing of it was imported."""
        return self.internal or self is FailureCode.NOT_UPLOADED
