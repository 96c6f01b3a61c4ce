"""Rows of a file that are duplicates, or may be, as the phone filter saw them."""

from typing import NamedTuple


class DuplicateHints(NamedTuple):
    """Row numbers. SKIP looks up only the phones of possible duplicates."""

    certain_duplicates: list[int]
    """Rows whose phone an earlier row has for certain."""
    possible_duplicates: list[int]
    """Other rows whose phone an earlier row or a stored lead may have."""
    earlier_rows: list[int]
    """Rows that are neither, whose phones the possible duplicates may repeat, among those not merged yet."""
