"""Check the cells of a row against the rules of a lead.

The rules are written twice on purpose. The schemas of `LeadChecker` check many rows at once, fast.
`row_errors` names every fault of a row that failed. A property test holds the two together.
"""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Final

from pydantic_core import CoreSchema, SchemaValidator
from pydantic_core.core_schema import list_schema, str_schema, tuple_positional_schema, with_default_schema

from leads.domain.lead import REQUIRED_FIELDS, LeadCells, LeadSource
from leads.domain.row_error import RowError

# Characters (our API). The columns of `dossier` are as wide.
NAME_LENGTH: Final = 255
PHONE_LENGTH: Final = 50
EMAIL_LENGTH: Final = 255
LEAD_SOURCE_LENGTH: Final = 255
NOTES_LENGTH: Final = 10_000

QUOTED_LENGTH: Final = 100
"""Characters of a wrong value that a message quotes (our API)."""

# pydantic's regular expressions are Rust's: ^ and $ match only at the very ends. No pattern accepts a ' at
# the start: the slow pass knows whether the formula guard put it there.
_SCORE: Final = "0*(?:100|[0-9]{1,2})"
_TEXT: Final = r"^(?:[^'\x00][^\x00]*)?$"
_A_DIGIT: Final = r"^(?:[0-9]|[^'\x00Ee][^\x00Ee]*[0-9])[^\x00Ee]*$"
"""Without an E, by which a spreadsheet writes a large number: the slow pass tells them apart."""


def _text(length: int, *, required: bool = False) -> CoreSchema:
    return str_schema(min_length=int(required), max_length=length, pattern=_TEXT)


_SCHEMAS: Final = {
    "name": _text(NAME_LENGTH, required=True),
    "phone": str_schema(max_length=PHONE_LENGTH, pattern=_A_DIGIT),
    "email": _text(EMAIL_LENGTH),
    "source": str_schema(to_lower=True, pattern=rf"^(?i-u:{'|'.join(LeadSource)})$"),
    "lead_source": _text(LEAD_SOURCE_LENGTH),
    "score": str_schema(pattern=f"^(?:{_SCORE})?$"),
    "notes": _text(NOTES_LENGTH),
}


class LeadChecker:
    """Check many rows of a file with these fields at once."""

    def __init__(self, fields: Sequence[str]) -> None:
        row = tuple_positional_schema([_SCHEMAS[field] for field in fields])
        # An invalid row becomes None instead of an error of pydantic, which takes time to build.
        lenient = with_default_schema(row, default=None, on_error="default")
        self._rows = SchemaValidator(list_schema(lenient))

    def check(self, rows: list[tuple[str, ...]]) -> list[LeadCells | None]:
        """Return the cells of each certainly valid row, and None for each other one. Cells come trimmed.

        None also stands for a row that the slow pass must judge. A `'` at the start of a cell may be the
        formula guard's, and an E in a phone may be a spreadsheet's.
        """
        checked: list[LeadCells | None] = self._rows.validate_python(rows)
        return checked


_LABELS: Final = {
    "name": "Name",
    "phone": "Phone",
    "email": "Email",
    "source": "Source",
    "lead_source": "Lead source",
    "score": "Score",
    "notes": "Notes",
}
_SOURCES: Final = frozenset(LeadSource)
_SCORE_TEXT: Final = re.compile(_SCORE, re.ASCII)
_DIGIT: Final = re.compile("[0-9]")


_SCIENTIFIC: Final = re.compile(r"\+?[0-9](?:[.,]([0-9]*))? ?E\+?0*([0-9]{1,2})", re.ASCII | re.IGNORECASE)


def _phone_fault(cell: str) -> str | None:
    if not _DIGIT.search(cell):
        return "Phone must contain a digit"
    # A narrow column of Excel turns a million different phones into the same 6,12E+08.
    if (match := _SCIENTIFIC.fullmatch(cell)) and len(match[1] or "") < int(match[2]):
        return "Phone lost its digits in a spreadsheet: format the column as text"
    return None


def _source_fault(cell: str) -> str | None:
    # A NUL is a fault of its own. A message that quoted it could not be stored in Postgres.
    if cell in _SOURCES or "\x00" in cell or (cell.isascii() and cell.lower() in _SOURCES):
        return None
    return f"Invalid source value: {cell[:QUOTED_LENGTH]}"


def _score_fault(cell: str) -> str | None:
    return None if _SCORE_TEXT.fullmatch(cell) else "Score must be an integer between 0 and 100"


_RULES: Final[dict[str, tuple[int, Callable[[str], str | None] | None]]] = {
    "name": (NAME_LENGTH, None),
    "phone": (PHONE_LENGTH, _phone_fault),
    "email": (EMAIL_LENGTH, None),
    "source": (sys.maxsize, _source_fault),
    "lead_source": (LEAD_SOURCE_LENGTH, None),
    "score": (sys.maxsize, _score_fault),
    "notes": (NOTES_LENGTH, None),
}
"""The maximum length of a cell of each field, and the check of its content."""


def row_errors(row: int, fields: Sequence[str], cells: Sequence[str]) -> list[RowError]:
    """Return every fault of a row, whose trimmed cells are of these fields; none for a valid lead."""
    errors = []
    for field, cell in zip(fields, cells, strict=True):
        if not cell:
            if field in REQUIRED_FIELDS:
                errors.append(RowError(row, field, f"{_LABELS[field]} is required"))
            continue
        length, fault_of = _RULES[field]
        if "\x00" in cell:
            errors.append(RowError(row, field, f"{_LABELS[field]} contains a NUL character"))
        if len(cell) > length:
            errors.append(RowError(row, field, f"{_LABELS[field]} is longer than {length:,} characters"))
        if fault_of is not None and (fault := fault_of(cell)) is not None:
            errors.append(RowError(row, field, fault))
    return errors
