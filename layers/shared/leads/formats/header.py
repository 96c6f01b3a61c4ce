"""Which column of a file holds which field of a lead: the one table of the names that people give them.

Names match in any case; accents, spaces, hyphens and all else but letters and digits are folded away.
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
"""These are no columns that we name elsewhere."""

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
"""A name counts only when no column has one from further up for the same field: beside such a one it is
something else, as a second phone.
"""
_RANKS: Final = [
    {alias: field for field, aliases in rank.items() for alias in aliases.split()} for rank in _ALIASES
]
_KNOWN: Final = frozenset().union(*_RANKS)

COLUMNS_LIMIT: Final = 16_384
"""Columns of a file: as many as a sheet of Excel has (Excel specifications and limits). A header is looked at
name by name.
"""

_NAME_LIMIT: Final = 100
"""Characters of a name that may mean something to us. `normalize` takes the square of a long one's time:
half a minute for 80,000 accents.
"""

IGNORED_LISTED: Final = 100
"""How many ignored columns a job names."""

REPORT_COLUMNS: Final = ("row", "outcome", "reason")
"""What our report of a job puts in front of the original columns; as the first three headers they are
ours.
"""


class Columns(NamedTuple):
    """The names of the columns, and where the cells of a record are. `fields` has, per field of `FIELDS`, the
    indices whose cells make it, joined by a space: none, one, or first and last name. The first
    `report_columns` columns are those of a report of ours.
    """

    names: tuple[str, ...]
    fields: tuple[tuple[int, ...], ...]
    ignored: tuple[str, ...]
    report_columns: int

    @property
    def width(self) -> int:
        """Cells of a record that is as long as the header."""
        return len(self.names)


def known_names(header: Sequence[str]) -> int:
    """How many cells of a header name a field of a lead."""
    return sum(_fold(name) in _KNOWN for name in header[:COLUMNS_LIMIT])


def map_columns(header: Sequence[str]) -> Columns:
    """Reads a header record.

    Raises InvalidFile when two columns mean the same field or a required one is missing; it names them.
    """
    # These names are shown and stored, and Postgres stores no NUL.
    names = [unguard(name.strip()).replace("\0", "\ufffd") for name in header]
    while names and not names[-1]:
        names.pop()
    first = len(REPORT_COLUMNS) if is_report(names) else 0
    if (width := len(names) - first) > COLUMNS_LIMIT:
        raise InvalidFile(
            FailureCode.INVALID_HEADER,
            f"The header has {width:,} columns; a file may have {COLUMNS_LIMIT:,}. "
            "Keep the columns with the leads.",
        )
    places: dict[str, int] = {}
    ignored = []
    meanings = _meanings(names[first:])
    for index, (name, field) in enumerate(zip(names[first:], meanings, strict=True), start=first):
        if field is None:
            ignored.append(name or f"(column {index + 1}, without a name)")
        elif field in places:
            raise _same_meaning(names[places[field]], name, field)
        else:
            places[field] = index
    name_parts = [places[part] for part in (_FIRST_NAME, _LAST_NAME) if part in places]
    if name_parts and "name" in places:
        raise _same_meaning(names[places["name"]], names[name_parts[0]], "name")
    fields = tuple(
        tuple(name_parts) if field == "name" and name_parts else (places[field],) if field in places else ()
        for field in FIELDS
    )
    missing = [field for field, at in zip(FIELDS, fields, strict=True) if field in REQUIRED_FIELDS and not at]
    if missing:
        raise InvalidFile(FailureCode.INVALID_HEADER, _missing(missing, names))
    return Columns(tuple(names), fields, _listed(ignored), first)


def _meanings(names: Sequence[str]) -> list[str | None]:
    """The field, or the part of a name, that each column holds."""
    folded = [_fold(name) for name in names]
    meanings: list[str | None] = [None] * len(names)
    for rank in _RANKS:
        held = {_whole(meaning) for meaning in meanings}
        for index, name in enumerate(folded):
            if (field := rank.get(name)) is not None and _whole(field) not in held:
                meanings[index] = field
    return meanings


def _whole(meaning: str | None) -> str | None:
    return "name" if meaning in (_FIRST_NAME, _LAST_NAME) else meaning


def is_report(header: Sequence[str]) -> bool:
    """Whether these are the columns of a report of ours."""
    return tuple(name.strip().lower() for name in header[: len(REPORT_COLUMNS)]) == REPORT_COLUMNS


def _fold(name: str) -> str:
    if len(name) > _NAME_LIMIT:
        return ""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def _same_meaning(one: str, other: str, field: str) -> InvalidFile:
    return InvalidFile(
        FailureCode.INVALID_HEADER,
        f'The columns "{_shown(one)}" and "{_shown(other)}" both mean {_IN_WORDS.get(field, field)}. '
        "Keep one of them, or rename the other.",
    )


def _missing(missing: Sequence[str], names: Sequence[str]) -> str:
    found = ", ".join(_shown(name) for name in names[:30] if name) or "none"
    plural = "s" if len(missing) > 1 else ""
    return (
        f"Missing required column{plural}: {', '.join(missing)}. The header has: {found}. "
        "The first line must name the columns, among them name, phone and source."
    )


def _listed(ignored: Sequence[str]) -> tuple[str, ...]:
    """The ignored columns as a job keeps them: a header of thousands must not swell its organisation's
    history.
    """
    listed = [_shown(name) for name in ignored[:IGNORED_LISTED]]
    if len(ignored) > IGNORED_LISTED:
        listed.append(f"… and {len(ignored) - IGNORED_LISTED:,} more")
    return tuple(listed)


def _shown(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:60]}…"
