"""What a lead is made of, and the rules that one row of a file must keep to become one.

The rules are written twice on purpose: as the types of `LeadRow`, which pydantic checks at once and fast, and
in `row_errors`, which says in words everything that is wrong with a row that failed. A property test holds
them together.
"""

import re
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import StringConstraints, TypeAdapter

from leads.domain.row_error import RowError


class LeadStatus(StrEnum):
    """Where a lead stands. WON and LOST are closed: such a lead is nobody's duplicate."""

    NEW = "NEW"
    QUALIFYING = "QUALIFYING"
    QUALIFIED = "QUALIFIED"
    APPOINTMENT = "APPOINTMENT"
    WON = "WON"
    DRAFT = "DRAFT"
    LOST = "LOST"


class LeadSource(StrEnum):
    """How a lead reached the agency; stored in lower case."""

    WEB = "web"
    MOBILE = "mobile"
    PHONE = "phone"
    EMAIL = "email"
    REFERRAL = "referral"
    WALK_IN = "walk_in"
    SOCIAL_MEDIA = "social_media"
    UNKNOWN = "unknown"


WHITE_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space property; Python's own `strip` takes U+001C to U+001F too."""

# Our API's limits in characters; the columns of `dossier` are as wide.
NAME_LENGTH: Final = 255
PHONE_LENGTH: Final = 50
EMAIL_LENGTH: Final = 255
LEAD_SOURCE_LENGTH: Final = 255
NOTES_LENGTH: Final = 10_000

SHOWN_LENGTH: Final = 100
"""How much of a wrong value a message repeats, in characters (our API)."""

_SCORE = r"(?:0*(?:100|[0-9]{1,2}))"
# \z, not $: pydantic's regular expressions are Rust's, where both mean the very end; Python's $ allows a last
# \n.
_NO_NUL = r"^[^\x00]*$"
_A_DIGIT_AND_NO_NUL = r"^[^\x00]*[0-9][^\x00]*$"

_Required = StringConstraints(min_length=1, max_length=NAME_LENGTH, pattern=_NO_NUL)


class LeadRow(NamedTuple):
    """The cells of a row that may become a lead, trimmed by who read them; an optional one that was empty is
    ''.
    """

    name: Annotated[str, _Required]
    phone: Annotated[str, StringConstraints(max_length=PHONE_LENGTH, pattern=_A_DIGIT_AND_NO_NUL)]
    email: Annotated[str, StringConstraints(max_length=EMAIL_LENGTH, pattern=_NO_NUL)]
    source: Annotated[
        str,
        StringConstraints(
            to_lower=True,
            pattern=rf"^(?i-u:{'|'.join(LeadSource)})$",
        ),
    ]
    lead_source: Annotated[str, StringConstraints(max_length=LEAD_SOURCE_LENGTH, pattern=_NO_NUL)]
    score: Annotated[str, StringConstraints(pattern=rf"^{_SCORE}?$")]
    notes: Annotated[str, StringConstraints(max_length=NOTES_LENGTH, pattern=_NO_NUL)]


FIELDS: Final = LeadRow._fields
"""The fields of an import in the order of `LeadRow`."""

REQUIRED_FIELDS: Final = ("name", "phone", "source")

lead_rows: Final = TypeAdapter(LeadRow)
"""Validates the cells of one row, given as a tuple in the order of `FIELDS`, into a `LeadRow`."""

_LABELS: Final = {
    "name": "Name",
    "phone": "Phone",
    "email": "Email",
    "source": "Source",
    "lead_source": "Lead source",
    "score": "Score",
    "notes": "Notes",
}
_LENGTHS: Final = {
    "name": NAME_LENGTH,
    "phone": PHONE_LENGTH,
    "email": EMAIL_LENGTH,
    "lead_source": LEAD_SOURCE_LENGTH,
    "notes": NOTES_LENGTH,
}
_SOURCES: Final = frozenset(LeadSource)
_SCORE_TEXT: Final = re.compile(_SCORE, re.ASCII)
_DIGIT: Final = re.compile("[0-9]")


def row_errors(row: int, cells: tuple[str, ...]) -> list[RowError]:
    """Every fault of a row's trimmed cells, given in the order of `FIELDS`; none when it is a valid lead."""
    errors = []
    for field, cell in zip(FIELDS, cells, strict=True):
        label = _LABELS[field]
        if not cell:
            if field in REQUIRED_FIELDS:
                errors.append(RowError(row, field, f"{label} is required"))
            continue
        if "\x00" in cell:
            errors.append(RowError(row, field, f"{label} contains a NUL character"))
        length = _LENGTHS.get(field)
        if length is not None and len(cell) > length:
            errors.append(RowError(row, field, f"{label} is longer than {length:,} characters"))
        if field == "phone" and not _DIGIT.search(cell):
            errors.append(RowError(row, field, "Phone must contain a digit"))
        # A NUL must not be repeated: Postgres stores none, and its message says enough.
        if field == "source" and "\x00" not in cell and not (cell.isascii() and cell.lower() in _SOURCES):
            errors.append(RowError(row, field, f"Invalid source value: {cell[:SHOWN_LENGTH]}"))
        if field == "score" and not _SCORE_TEXT.fullmatch(cell):
            errors.append(RowError(row, field, "Score must be an integer between 0 and 100"))
    return errors
