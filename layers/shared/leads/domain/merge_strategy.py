"""Choose the outcome of a row whose phone the organisation already has."""

from enum import StrEnum


class MergeStrategy(StrEnum):
    """The outcome of a row that has a duplicate.

    A duplicate has the same organisation, the same phone key and a status neither WON nor LOST.
    """

    SKIP = "SKIP"
    """The row is skipped, whether its duplicate is a stored lead or an earlier row."""
    OVERWRITE = "OVERWRITE"
    """The filled cells of the row replace those of the duplicate; its empty cells change nothing."""
    CREATE_NEW = "CREATE_NEW"
    """Every valid row is a new lead."""
