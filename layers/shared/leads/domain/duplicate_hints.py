"""Which rows of a file need a look-up of their phone before SKIP, as the phone filter saw them."""

from typing import NamedTuple


class DuplicateHints(NamedTuple):
    """Numbers of rows."""

    certain_duplicates: list[int]
    """Rows whose phone an earlier row has for sure."""
    possible_duplicates: list[int]
    """Other rows whose phone may have been there before."""
    earlier_rows: list[int]
    """Rows that are neither, whose phones the suspects may repeat: of those that may not be stored yet."""
