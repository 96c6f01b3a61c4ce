"""What becomes of a row whose phone the organisation already has."""

from enum import StrEnum


class MergeStrategy(StrEnum):
    """A duplicate has the same organisation, the same phone key and a status neither WON nor LOST."""

    SKIP = "SKIP"
    """The row is skipped, whether its duplicate is a stored lead or an earlier row."""
    OVERWRITE = "OVERWRITE"
    """The row's filled cells replace the duplicate's; its empty cells leave what is there."""
    CREATE_NEW = "CREATE_NEW"
    """Every valid row is a new lead."""
