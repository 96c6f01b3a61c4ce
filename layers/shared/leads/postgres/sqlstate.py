"""Name the SQLSTATEs that the code distinguishes (PostgreSQL, appendix A)."""

from typing import Final

STATEMENT_TIMEOUT: Final = "57014"
"""The statement ran longer than statement_timeout."""

LOCK_NOT_AVAILABLE: Final = "55P03"
"""The lock was not released within lock_timeout."""

DUPLICATE_FUNCTION: Final = "42723"
DUPLICATE_TABLE: Final = "42P07"
DUPLICATE_OBJECT: Final = "42710"
