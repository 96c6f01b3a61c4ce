"""COPY's text format: checked rows as Postgres reads them from a stream.

Apart from the statements that use it, so that who only reads and checks a file loads no driver.
"""

from collections.abc import Sequence
from typing import Final

from leads.domain.lead import LeadCells

# The format marks ends with tabs and line breaks and escapes with backslashes (PostgreSQL, COPY).
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_text(leads: Sequence[LeadCells | None], first_row: int) -> bytes:
    """The leads of a chunk, each with its row number, as COPY reads them; an empty cell is to be NULL.

    `first_row` is the number of the chunk's first record; None stands for one that is not to be staged.
    """
    rows = [(str(row), *cells) for row, cells in enumerate(leads, start=first_row) if cells is not None]
    if not rows:
        return b""
    text = "\n".join(map("\t".join, rows))
    marks = (text.count("\n"), text.count("\t"), "\\" in text, "\r" in text)
    if marks != (len(rows) - 1, len(rows) * (len(rows[0]) - 1), False, False):
        text = "\n".join("\t".join(cell.translate(_ESCAPES) for cell in row) for row in rows)
    return text.encode() + b"\n"
