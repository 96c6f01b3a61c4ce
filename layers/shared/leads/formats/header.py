"""Map the columns of a file to the fields of a lead, by one table of the names that people give them.

Names match in any case. Accents, spaces, hyphens and everything else but letters and digits are ignored.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

from leads.domain.failure_code import FailureCode
from leads.domain.lead import FIELDS, REQUIRED_FIELDS
from leads.errors import InvalidFile
from leads.formats.formula_guard import unguard

_FIRST_NAME: Final = "first_name"
_LAST_NAME: Final = "last_name"
_IN_WORDS: Final = {_FIRST_NAME: "the first name", _LAST_NAME: "the last name"}
"""The parts of a name as messages name them: they are no fields."""

_ALIASES: Final = (
    {
        "name": "name fullname nomcomplet nomprenom prenomnom nometprenom prenometnom raisonsociale",
        _FIRST_NAME: "firstname givenname prenom prenoms",
        _LAST_NAME: "nom lastname surname familyname nomdefamille",
        "phone": "phone phonenumber telephone telephonenumber tel mobile mobilephone portable gsm cell "
        "cellphone numerodetelephone ndetelephone nodetelephone ntelephone notelephone ntel numtel "
        "telephoneportable telephonemobile telportable telmobile numerodeportable",
        "email": "email emailaddress mail courriel adresseemail adressemail adresseelectronique",
        "source": "source canal",
        "lead_source": "leadsource sourcedulead origine origin provenance campagne campaign",
        "score": "score scoring",
        "notes": "notes note comment comments commentaire commentaires remarque remarques observation "
        "observations message",
    },
    {"name": "contact client lead"},
    {
        "name": "contactname displayname personname",
        _FIRST_NAME: "prenomducontact prenomduclient prenomclient",
        _LAST_NAME: "nomducontact nomduclient nomclient",
        "phone": "phonenumbers telephones mobilenumber contactphone personphone phone1value numerotelephone "
        "numerodetel numerotel ndetel nodetel notel numdetelephone numtelephone numdetel telephoneducontact "
        "telephoneduclient telephoneclient telclient numeroportable ndeportable nportable noportable "
        "numerodemobile numeromobile ndemobile nmobile nomobile",
        "email": "emails mel adressecourriel adressedemessagerie personemail email1value",
    },
)
"""The aliases of each field in three ranks. An alias counts only if no column has one of a higher rank for
the same field: beside it, the column is something else, such as a second phone.
"""
_RANKS: Final = [
    {alias: field for field, aliases in rank.items() for alias in aliases.split()} for rank in _ALIASES
]
_KNOWN: Final = frozenset().union(*_RANKS)

COLUMNS_LIMIT: Final = 16_384
"""Columns of a file: as many as an Excel sheet has (Excel specifications and limits). The time to read a
header grows with them.
"""

_NAME_LIMIT: Final = 100
"""Characters of a name that may mean a field; every alias is shorter. `normalize` takes quadratic time: half
a minute for 80,000 accents.
"""

_MAX_IGNORED_NAMES: Final = 100
"""Ignored columns that a job names. Thousands of them would swell the history of the organisation."""

_MAX_FOUND_NAMES: Final = 30
"""Columns that a message names: enough to recognise the file."""

_SHORTENED_CHARACTERS: Final = 60
"""Characters of a name in a message or a job."""

REPORT_COLUMNS: Final = ("row", "outcome", "reason")
"""The columns that a report has before those of its file. As the first three, they mark a report."""


class Columns(NamedTuple):
    """The columns of a file, and the cells of a record that make each field."""

    names: tuple[str, ...]
    fields: tuple[tuple[int, ...], ...]
    """The indices of the cells of each of FIELDS, joined by a space: none, one, or first and last name."""
    ignored: tuple[str, ...]
    report_columns: int
    """The number of leading columns that a report of the service added."""

    @property
    def width(self) -> int:
        """Cells of a record that is as long as the header."""
        return len(self.names)


def known_names(header: Sequence[str]) -> int:
    """Count the cells of a header that name a field of a lead."""
    return sum(_fold(name) in _KNOWN for name in header[:COLUMNS_LIMIT])


def map_columns(header: Sequence[str]) -> Columns:
    """Map a header record to the fields of a lead.

    Raises:
        InvalidFile: Two columns mean the same field, a required one is missing, or there are too many.
    """
    # The names are stored in the job, and Postgres stores no NUL.
    names = [unguard(name.strip()).replace("\0", "\ufffd") for name in header]
    while names and not names[-1]:
        names.pop()
    first = len(REPORT_COLUMNS) if is_report(names) else 0
    if (width := len(names) - first) > COLUMNS_LIMIT:
        raise InvalidFile(
            FailureCode.INVALID_HEADER,
            f"The header has {width:,} columns; a file may have {COLUMNS_LIMIT:,}. "
            "Keep only the columns of the leads.",
        )
    columns: dict[str, int] = {}
    ignored = []
    meanings = _meanings(names[first:])
    for index, (name, field) in enumerate(zip(names[first:], meanings, strict=True), start=first):
        if field is None:
            ignored.append(name or f"(column {index + 1}, without a name)")
        elif field in columns:
            raise _same_meaning(names[columns[field]], name, field)
        else:
            columns[field] = index
    name_parts = [columns[part] for part in (_FIRST_NAME, _LAST_NAME) if part in columns]
    if name_parts and "name" in columns:
        raise _same_meaning(names[columns["name"]], names[name_parts[0]], "name")
    fields = tuple(
        tuple(name_parts) if field == "name" and name_parts else (columns[field],) if field in columns else ()
        for field in FIELDS
    )
    missing = [
        field
        for field, indices in zip(FIELDS, fields, strict=True)
        if field in REQUIRED_FIELDS and not indices
    ]
    if missing:
        raise InvalidFile(FailureCode.INVALID_HEADER, _missing(missing, names))
    return Columns(tuple(names), fields, _list_ignored(ignored), first)


def _meanings(names: Sequence[str]) -> list[str | None]:
    """Return the field, or the part of a name, that each column holds."""
    folded = [_fold(name) for name in names]
    meanings: list[str | None] = [None] * len(names)
    for rank in _RANKS:
        found = {_field(meaning) for meaning in meanings}
        for index, name in enumerate(folded):
            if (field := rank.get(name)) is not None and _field(field) not in found:
                meanings[index] = field
    return meanings


def _field(meaning: str | None) -> str | None:
    return "name" if meaning in (_FIRST_NAME, _LAST_NAME) else meaning


def is_report(header: Sequence[str]) -> bool:
    """Tell whether these are the columns of a report of the service."""
    return tuple(name.strip().lower() for name in header[: len(REPORT_COLUMNS)]) == REPORT_COLUMNS


def _fold(name: str) -> str:
    """Return the letters and digits by which a name is matched; none for a name that is too long."""
    if len(name) > _NAME_LIMIT:
        return ""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def _same_meaning(one: str, other: str, field: str) -> InvalidFile:
    return InvalidFile(
        FailureCode.INVALID_HEADER,
        f'The columns "{_shorten(one)}" and "{_shorten(other)}" both mean {_IN_WORDS.get(field, field)}. '
        "Keep one of them, or rename the other.",
    )


def _missing(missing: Sequence[str], names: Sequence[str]) -> str:
    found = ", ".join(_shorten(name) for name in names[:_MAX_FOUND_NAMES] if name) or "none"
    plural = "s" if len(missing) > 1 else ""
    return (
        f"Missing required column{plural}: {', '.join(missing)}. The header has: {found}. "
        "The first line must name the columns, among them name, phone and source."
    )


def _list_ignored(ignored: Sequence[str]) -> tuple[str, ...]:
    """Return the ignored columns as a job names them."""
    names = [_shorten(name) for name in ignored[:_MAX_IGNORED_NAMES]]
    if len(ignored) > _MAX_IGNORED_NAMES:
        names.append(f"… and {len(ignored) - _MAX_IGNORED_NAMES:,} more")
    return tuple(names)


def _shorten(name: str) -> str:
    return name if len(name) <= _SHORTENED_CHARACTERS else f"{name[:_SHORTENED_CHARACTERS]}…"
