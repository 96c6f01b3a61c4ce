"""Name the reasons of a failure, for programs."""

from enum import StrEnum


class FailureCode(StrEnum):
    """The reason of a FAILED job, stable for programs.

    A repeated event starts a new attempt after INTERNAL and ORGANISATION_BUSY. So does a file that arrives
    after NOT_UPLOADED.
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
        """Tell whether the service is at fault, not the file."""
        return self in (
            FailureCode.REJECTED_BY_DATABASE,
            FailureCode.INTERNAL,
            FailureCode.ORGANISATION_BUSY,
            FailureCode.NOT_STORED,
            FailureCode.STACK_RESTARTED,
        )

    @property
    def may_be_repeated(self) -> bool:
        """Tell whether the same request may succeed later: the file is not at fault, and no row is stored."""
        return self.internal or self is FailureCode.NOT_UPLOADED
