"""Keeps a cell from being run as a formula by the spreadsheet that opens it, without losing what it was.

A cell is dangerous when its first character is `=`, `@`, tab or CR, or when that is `+` or `-` and the cell
is not all `[+-][0-9][0-9 .,()]*` (a phone, a number). One that is dangerous once its leading `'` are taken
off gets one `'` in front, and the import takes one `'` off where the rest would be guarded: so every string
comes back as it was. The export guards in SQL, by the function `csv_guard` of the migrations; a test holds
the two together. Source: OWASP, CSV Injection; the exception for phones and numbers is ours.
"""

import re
from collections.abc import Iterable

_SUSPECT = frozenset("=@\t\r+-'")
"""What a dangerous cell begins with; nearly every cell is told by this alone."""

_DANGEROUS = re.compile(r"'*(?:[=@\t\r]|[+-](?![0-9][0-9 .,()]*\Z))", re.ASCII)

_MAY_BE_GUARDED = re.compile(r"\0(?:['=@\t\r]|[+-](?![0-9][0-9 .,()]*\0))")
"""In cells with a NUL before and after each; `'` because such a cell may be guarded already."""


def guard(cell: str) -> str:
    """The cell as it may be written to a CSV file."""
    return f"'{cell}" if cell[:1] in _SUSPECT and _DANGEROUS.match(cell) else cell


def unguard(cell: str) -> str:
    """The cell as it was before `guard`; the inverse of it for every string."""
    return cell[1:] if cell.startswith("'") and _DANGEROUS.match(cell) else cell


def guard_again(cell: str) -> str:
    """`guard(unguard(cell))`: a cell that may be guarded already, so that it is, once."""
    return guard(unguard(cell))


def guarded_again(records: Iterable[list[str]]) -> list[list[str]]:
    """`guard_again` of every cell, without a call for those that it surely leaves as they are."""
    return [[guard_again(cell) if cell[:1] in _SUSPECT else cell for cell in record] for record in records]


def may_change(cells: str, count: int) -> bool:
    """Whether `guard_again` may change one of so many cells, which have a NUL before and after each.

    It says no of nearly all chunks of a file, at a tenth of what asking for each cell costs.
    """
    return cells.count("\0") != count + 1 or _MAY_BE_GUARDED.search(cells) is not None
