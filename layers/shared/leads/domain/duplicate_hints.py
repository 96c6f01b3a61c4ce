"""Pass on what the phone filter knows of the rows of a chunk, so that SKIP looks only some phones up."""

from typing import NamedTuple


class DuplicateHints(NamedTuple):
    """Row numbers, by what the phone filter knows of their phones."""

    possible_duplicates: list[int]
    """Rows whose phone an earlier row or a stored lead may have."""
    earlier_rows: list[int]
    """Other rows whose phone a possible duplicate may repeat, and which may not be stored yet."""
