"""Write validated rows in COPY's text format.

This module stands apart from the statements that use it, so that the reader process loads no driver.
"""

from collections.abc import Sequence
from typing import Final

from leads.domain.lead import LeadCells

# Tabs end cells, line breaks end rows, and backslashes escape all three (PostgreSQL, COPY).
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_text(leads: Sequence[LeadCells | None], first_row: int) -> bytes:
    """Write the leads of a chunk, each with its row number. An empty cell is NULL to COPY.

    `first_row` is the number of the chunk's first record. None stands for a record that is not staged.
    """
    rows = [(str(row), *cells) for row, cells in enumerate(leads, start=first_row) if cells is not None]
    if not rows:
        return b""
    text = "\n".join(map("\t".join, rows))
    found = (text.count("\n"), text.count("\t"), "\\" in text, "\r" in text)
    # If only the separators are found, no cell needs an escape.
    if found != (len(rows) - 1, len(rows) * (len(rows[0]) - 1), False, False):
        text = "\n".join("\t".join(cell.translate(_ESCAPES) for cell in row) for row in rows)
    return text.encode() + b"\n"
