"""Column names are mapped to fields, or refused with a reason."""

import unicodedata

import pytest

from leads.domain.failure_code import FailureCode
from leads.domain.lead import FIELDS
from leads.errors import InvalidFile
from leads.formats.header import Columns, known_names, map_columns

REQUIRED = ["name", "phone", "source"]


def field_of(header: str) -> str | None:
    """Return the field of a column of this name beside those that it does not clash with."""
    for field in FIELDS:
        others = [name for name in REQUIRED if name != field]
        try:
            columns = map_columns([header, *others])
        except InvalidFile:
            continue
        if columns.fields[FIELDS.index(field)] == (0,):
            return field
    return None


def refusal(*header: str) -> str:
    with pytest.raises(InvalidFile) as caught:
        map_columns(header)
    assert caught.value.code is FailureCode.INVALID_HEADER
    return str(caught.value)


KNOWN = {
    "name": "name|Full name|Nom complet|Nom et prénom|Nom / Prénom|Contact|Client|Lead|Raison sociale|"
    "Last name|Nom du contact|Nom client|Contact name|Display name|Person - Name",
    "phone": "phone|Phone number|Téléphone|Tél.|Portable|Mobile|GSM|N° de téléphone|Tél portable|Téléphones|"
    "Numéro portable|N° de portable|N° mobile|Numéro tél.|N° de tél|Num téléphone|Téléphone du contact|"
    "Tél. client|Mobile number|Contact phone|Person - Phone|Phone 1 - Value",
    "email": "email|E-mail|Email address|Mail|Mèl|E-mails|Courriel|Adresse e-mail|Adresse courriel|"
    "Adresse de messagerie|Person - Email|E-mail 1 - Value",
    "source": "source|Canal",
    "lead_source": "lead_source|Lead source|leadSource|Origine|Provenance|Campagne",
    "score": "score|Scoring",
    "notes": "notes|Note|Commentaire|Commentaires|Comments|Remarques|Observations|Message",
}


@pytest.mark.parametrize(("field", "headers"), KNOWN.items(), ids=KNOWN)
def test_alias_is_mapped_to_its_field(field: str, headers: str) -> None:
    names = headers.split("|")
    assert {name: field_of(name) for name in names} == dict.fromkeys(names, field)


@pytest.mark.parametrize(
    "header", ["téléphone", "TÉLÉPHONE", " Telephone ", "\u00a0Télé-phone", "télé phone", "télé_phone:"]
)
def test_case_spaces_hyphens_and_accents_are_ignored(header: str) -> None:
    assert field_of(header) == "phone"
    assert field_of(unicodedata.normalize("NFD", header)) == "phone"


def test_columns_may_come_in_any_order() -> None:
    assert map_columns(["Commentaire", "source", "E-mail", "Tél", "Score", "Nom", "lead_source"]) == Columns(
        names=("Commentaire", "source", "E-mail", "Tél", "Score", "Nom", "lead_source"),
        fields=((5,), (3,), (2,), (1,), (6,), (4,), (0,)),
        ignored=(),
        report_columns=0,
    )


@pytest.mark.parametrize("header", [["Prénom", "Nom"], ["First name", "Last name"]])
def test_first_and_last_name_are_joined_in_that_order(header: list[str]) -> None:
    assert map_columns([*header, "phone", "source"]).fields[0] == (0, 1)
    assert map_columns([*reversed(header), "phone", "source"]).fields[0] == (1, 0)


def test_first_name_alone_is_the_name() -> None:
    assert map_columns(["phone", "Prénom", "source"]).fields[0] == (1,)


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ("Portable", "Téléphone", "phone"),
        ("E-mail", "email", "email"),
        ("source", "SOURCE", "source"),
        ("Nom", "Nom de famille", "the last name"),
        ("Prénom", "First name", "the first name"),
        ("Client", "Contact", "name"),
    ],
)
def test_two_columns_of_one_field_are_refused_by_name(one: str, other: str, field: str) -> None:
    assert refusal(one, "score", other) == (
        f'The columns "{one}" and "{other}" both mean {field}. Keep one of them, or rename the other.'
    )


@pytest.mark.parametrize("part", ["Prénom", "Nom"])
def test_full_name_beside_a_part_is_refused_by_name(part: str) -> None:
    assert refusal(part, "phone", "source", "Nom complet").startswith(
        f'The columns "Nom complet" and "{part}" both mean name.'
    )


@pytest.mark.parametrize(
    ("header", "beginning"),
    [
        (["name", "phone"], "Missing required column: source. The header has: name, phone. "),
        (["source"], "Missing required columns: name, phone. The header has: source. "),
        (
            ["ville", "", "prix"],
            "Missing required columns: name, phone, source. The header has: ville, prix. ",
        ),
    ],
)
def test_missing_columns_are_named_with_those_found(header: list[str], beginning: str) -> None:
    assert refusal(*header) == (
        f"{beginning}The first line must name the columns, among them name, phone and source."
    )


def test_message_shortens_a_long_header() -> None:
    message = refusal(*(f"{number}{'x' * 100}" for number in range(100)))
    assert f"29{'x' * 58}…. " in message
    assert len(message) < 2500


def test_unknown_columns_are_ignored_and_listed() -> None:
    columns = map_columns(["id", *REQUIRED, " Ville ", "", "Créé le", "", " "])
    assert columns.ignored == ("id", "Ville", "(column 6, without a name)", "Créé le")
    assert columns.width == 7


def test_nul_in_an_ignored_name_is_replaced() -> None:
    assert map_columns([*REQUIRED, "vi\x00lle"]).ignored == ("vi\ufffdlle",)
    assert "\x00" not in refusal("vi\x00lle")


@pytest.mark.parametrize("report", [["row", "outcome", "reason"], ["Row", "OUTCOME", " reason "]])
def test_columns_of_a_report_are_not_listed_as_ignored(report: list[str]) -> None:
    columns = map_columns([*report, *REQUIRED])
    assert columns.ignored == ()
    assert columns.report_columns == 3
    assert columns.fields[0] == (3,)


@pytest.mark.parametrize(
    ("header", "ignored"),
    [
        ([*REQUIRED, "row", "outcome", "reason"], ("row", "outcome", "reason")),
        (["outcome", "row", "reason", *REQUIRED], ("outcome", "row", "reason")),
        (["row", "outcome", *REQUIRED], ("row", "outcome")),
    ],
)
def test_report_columns_count_only_as_the_first_three(header: list[str], ignored: tuple[str, ...]) -> None:
    columns = map_columns(header)
    assert columns.ignored == ignored
    assert columns.report_columns == 0


@pytest.mark.parametrize("header", ["Numéro", "N°", "Téléphone fixe", "Phone 2 - Value"])
def test_ambiguous_column_is_ignored(header: str) -> None:
    """A number may be that of a file or of a street."""
    assert map_columns([*REQUIRED, header]).ignored == (header,)


@pytest.mark.parametrize("header", ["Contact", "Client", "Lead"])
@pytest.mark.parametrize("name", ["Nom", "Prénom", "Nom complet"])
def test_contact_beside_a_name_is_ignored(header: str, name: str) -> None:
    columns = map_columns([header, name, "phone", "source"])
    assert (columns.fields[0], columns.ignored) == ((1,), (header,))


@pytest.mark.parametrize(
    ("header", "field", "at"),
    [
        ("First Name,Last Name,Display Name,Mobile Phone", "name", (0, 1)),
        ("Name,Contact Name,phone", "name", (0,)),
        ("Organisation,Contact,Nom client,phone", "name", (1,)),
        ("Nom client,Prénom client,Nom,phone", "name", (2,)),
        ("Nom client,Prénom client,phone", "name", (1, 0)),
        ("Nom,Téléphone client,Téléphone", "phone", (2,)),
        ("Nom,Tél,N° de mobile", "phone", (1,)),
        ("Nom,Tél,Adresse de messagerie,E-mail", "email", (3,)),
    ],
)
def test_alias_of_a_lower_rank_counts_without_a_higher_one(
    header: str, field: str, at: tuple[int, ...]
) -> None:
    columns = map_columns([*header.split(","), "source"])
    assert columns.fields[FIELDS.index(field)] == at


def test_known_names_are_counted() -> None:
    assert known_names(["Téléphone", "ville", "", "Prénom"]) == 2
