"""Keep spreadsheets from running a cell as a formula, reversibly.

A cell is dangerous if it starts with `=`, `@`, tab or CR. It is so with `+` or `-`, too, unless all of it is
`[+-][0-9][0-9 .,()]*` (a phone, a number). A cell that is dangerous behind its leading `'` gets one more.
The import removes one `'` where the rest would be guarded, so every string is restored.

Exports are guarded in SQL by the function `csv_guard` of the migrations, and a test holds the two together.
Source: OWASP, CSV Injection; the exception for phones and numbers is ours.
"""

import re
from collections.abc import Iterable

_SUSPECT = frozenset("=@\t\r+-'")
"""The first characters of dangerous cells. Nearly every cell is safe by this test alone."""

_DANGEROUS = re.compile(r"'*(?:[=@\t\r]|[+-](?![0-9][0-9 .,()]*\Z))", re.ASCII)

_MAY_BE_GUARDED = re.compile(r"\0(?:['=@\t\r]|[+-](?![0-9][0-9 .,()]*\0))")
"""Matches in cells with a NUL before and after each. A cell with a `'` may be guarded already."""


def guard(cell: str) -> str:
    """Return the cell as it may be written to a CSV file."""
    return f"'{cell}" if cell[:1] in _SUSPECT and _DANGEROUS.match(cell) else cell


def unguard(cell: str) -> str:
    """Return the cell as it was before `guard`: its inverse for every string."""
    return cell[1:] if cell.startswith("'") and _DANGEROUS.match(cell) else cell


def guard_again(cell: str) -> str:
    """Guard a cell that may be guarded already: `guard(unguard(cell))`."""
    return guard(unguard(cell))


def guard_records(records: Iterable[list[str]]) -> list[list[str]]:
    """Apply `guard_again` to every cell, without a call for the cells that it certainly leaves alone."""
    return [[guard_again(cell) if cell[:1] in _SUSPECT else cell for cell in record] for record in records]


def may_change(cells: str, cell_count: int) -> bool:
    """Tell whether `guard_again` may change one of the cells, which have a NUL before and after each.

    The answer is no for nearly all chunks of a file, in a tenth of the time that a call for each cell takes.
    """
    return cells.count("\0") != cell_count + 1 or _MAY_BE_GUARDED.search(cells) is not None
