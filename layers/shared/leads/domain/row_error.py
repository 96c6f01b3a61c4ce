"""One fault of one row of an imported file."""

from typing import NamedTuple


class RowError(NamedTuple):
    """A fault: `row` counts as a spreadsheet does (the header is row 1); `field` is None when it is the whole
    row's.
    """

    row: int
    field: str | None
    message: str
