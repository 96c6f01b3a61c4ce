"""The fast check and the messages state the same rules, and the messages are word for word."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leads.domain.lead import FIELDS
from leads.domain.lead_rules import LeadChecker, row_errors
from leads.domain.row_error import RowError
from tests.support.lead_row import LeadRow

VALID = LeadRow("Ana Ruiz", "06 12 34 56 78", "ana@acme.example", "web", "Salon", "80", "Rappeler lundi")
ONLY_REQUIRED = LeadRow("Ana Ruiz", "06 12 34 56 78", "", "web", "", "", "")

KELVIN_SIGN = "\u212a"
LONG_S = "\u017f"
ARABIC_THREE = "\u0663"


def checked(cells: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the result of the fast check for a row among others."""
    first, second, third = LeadChecker(FIELDS).check([tuple(VALID), tuple(cells), ("",) * 7])
    assert (first, third) == (VALID, None)
    return second


def faults_of(row: int, cells: tuple[str, ...]) -> list[RowError]:
    return row_errors(row, FIELDS, cells)


LOST_DIGITS = "Phone lost its digits in a spreadsheet: format the column as text"


@pytest.mark.parametrize("cells", [VALID, ONLY_REQUIRED], ids=["all filled", "required ones only"])
def test_valid_row_has_no_fault_and_keeps_its_cells(cells: LeadRow) -> None:
    assert faults_of(2, cells) == []
    assert checked(cells) == cells


@pytest.mark.parametrize(
    ("field", "cell", "message"),
    [
        ("name", "", "Name is required"),
        ("phone", "", "Phone is required"),
        ("source", "", "Source is required"),
        ("phone", "unknown", "Phone must contain a digit"),
        ("phone", ARABIC_THREE * 10, "Phone must contain a digit"),
        ("phone", "6,12E+08", LOST_DIGITS),
        ("phone", "6.1E+8", LOST_DIGITS),
        ("phone", "6e8", LOST_DIGITS),
        ("phone", "6,12 E+008", LOST_DIGITS),
        ("phone", "+3,361234567e10", LOST_DIGITS),
        ("source", "invalid_source", "Invalid source value: invalid_source"),
        ("source", "x" * 101, "Invalid source value: " + "x" * 100),
        ("source", f"wal{KELVIN_SIGN}_in", f"Invalid source value: wal{KELVIN_SIGN}_in"),
        ("score", "101", "Score must be an integer between 0 and 100"),
        ("score", "-1", "Score must be an integer between 0 and 100"),
        ("score", "+5", "Score must be an integer between 0 and 100"),
        ("score", "7.5", "Score must be an integer between 0 and 100"),
        ("score", "1e1", "Score must be an integer between 0 and 100"),
        ("score", ARABIC_THREE, "Score must be an integer between 0 and 100"),
        ("score", "5\n", "Score must be an integer between 0 and 100"),
        ("name", "n" * 256, "Name is longer than 255 characters"),
        ("email", "e" * 256, "Email is longer than 255 characters"),
        ("lead_source", "l" * 256, "Lead source is longer than 255 characters"),
        ("phone", "0" * 51, "Phone is longer than 50 characters"),
        ("notes", "n" * 10_001, "Notes is longer than 10,000 characters"),
        ("name", "A\x00", "Name contains a NUL character"),
        ("phone", "\x0006", "Phone contains a NUL character"),
        ("email", "\x00", "Email contains a NUL character"),
        ("source", "web\x00", "Source contains a NUL character"),
        ("lead_source", "a\x00b", "Lead source contains a NUL character"),
        ("notes", "a\x00b", "Notes contains a NUL character"),
    ],
)
def test_fault_has_its_message(field: str, cell: str, message: str) -> None:
    cells = VALID._replace(**{field: cell})
    assert faults_of(7, cells) == [RowError(7, field, message)]
    assert checked(cells) is None


@pytest.mark.parametrize(
    "phone",
    ["6.12345678E8", "3,3612345678E+10", "bureau 0612345678", "06 12 34 56 78 Eve", "E8", "12E", "6E+800"],
)
def test_phone_with_letters_or_all_its_digits_is_valid(phone: str) -> None:
    assert faults_of(2, VALID._replace(phone=phone)) == []


@pytest.mark.parametrize(
    ("field", "length"),
    [("name", 255), ("email", 255), ("lead_source", 255), ("phone", 50), ("notes", 10_000)],
)
def test_cell_may_have_as_many_characters_as_its_limit(field: str, length: int) -> None:
    cells = VALID._replace(**{field: "7" + "é" * (length - 1)})
    assert faults_of(2, cells) == []
    assert checked(cells) == cells


@pytest.mark.parametrize("score", ["", "0", "7", "00", "099", "100", "0100"])
def test_score_is_an_integer_from_0_to_100_however_written(score: str) -> None:
    assert faults_of(2, VALID._replace(score=score)) == []


@pytest.mark.parametrize(
    "source", ["web", "mobile", "phone", "email", "referral", "walk_in", "social_media", "unknown"]
)
def test_source_is_matched_in_any_case_and_lowered(source: str) -> None:
    for written in (source, source.upper(), source.title()):
        assert faults_of(2, VALID._replace(source=written)) == [], written
        assert checked(VALID._replace(source=written)) == VALID._replace(source=source)


def test_row_has_every_fault_in_the_order_of_the_fields() -> None:
    faults = faults_of(5, ("", "x" * 51, "e" * 256, "fax", "l" * 256, "high", "n\x00" + "n" * 10_000))
    assert [(fault.field, fault.message) for fault in faults] == [
        ("name", "Name is required"),
        ("phone", "Phone is longer than 50 characters"),
        ("phone", "Phone must contain a digit"),
        ("email", "Email is longer than 255 characters"),
        ("source", "Invalid source value: fax"),
        ("lead_source", "Lead source is longer than 255 characters"),
        ("score", "Score must be an integer between 0 and 100"),
        ("notes", "Notes contains a NUL character"),
        ("notes", "Notes is longer than 10,000 characters"),
    ]
    assert {fault.row for fault in faults} == {5}


# Decoded text has no lone surrogates, and pydantic accepts none.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NEAR_LIMITS = ["7" * 50, "7" * 51, "é" * 255, "é" * 256, "n" * 10_000, "n" * 10_001]
ODD = ["", "\x00", "1\n", "\n1", "\x001", ARABIC_THREE, "é7", *NEAR_LIMITS]
SOURCES = ["web", "WEB", "Walk_In", f"wal{KELVIN_SIGN}_in", f"{LONG_S}ocial_media", "web\n", "web ", "we"]
SCORES = ["0", "100", "101", "0" * 40 + "100", "100\n", "-0", "1_0", " 5"]
cells_of_a_row = st.tuples(
    st.sampled_from([*ODD, "Ana"]) | text,
    st.sampled_from([*ODD, "0612345678", "6,12E+08", "6.12345678e8"]) | text,
    st.sampled_from(ODD) | text,
    st.sampled_from([*ODD, *SOURCES]) | text,
    st.sampled_from(ODD) | text,
    st.sampled_from([*ODD, *SCORES]) | text,
    st.sampled_from(ODD) | text,
)
almost_valid_rows = st.builds(
    lambda at, cells: (*VALID[:at], cells[at], *VALID[at + 1 :]),
    st.integers(0, len(FIELDS) - 1),
    cells_of_a_row,
)


@given(almost_valid_rows | cells_of_a_row)
@example(tuple(VALID))
def test_fast_check_accepts_exactly_the_certain_rows(cells: tuple[str, ...]) -> None:
    faults = faults_of(2, cells)
    second_look = any(cell.startswith("'") for cell in cells) or "e" in cells[1].lower()
    assert (checked(cells) is not None) == (not faults and not second_look), faults


@given(almost_valid_rows | cells_of_a_row)
def test_no_message_quotes_a_nul(cells: tuple[str, ...]) -> None:
    assert not [fault for fault in faults_of(2, cells) if "\x00" in fault.message]
