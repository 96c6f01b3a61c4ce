"""Describe one fault of one row of an imported file."""

from typing import NamedTuple


class RowError(NamedTuple):
    """A fault of a row, or of one of its cells."""

    row: int
    """The row number of a spreadsheet: the header is row 1."""
    field: str | None
    """The field of the cell; None for a fault of the whole row."""
    message: str
