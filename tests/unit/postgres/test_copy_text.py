"""COPY's text format: Postgres reads the rows that were written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leads.domain.lead import LeadCells
from leads.postgres.copy_text import copy_text

_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def read_as_postgres_does(text: bytes) -> list[list[str | None]]:
    """Read like COPY FROM with (FORMAT text, NULL ''), as PostgreSQL's manual describes it."""
    decoded = text.decode()
    assert "\r" not in decoded, "COPY refuses a carriage return that is not escaped"
    assert not decoded or decoded.endswith("\n"), "the last row has no end"
    rows: list[list[str | None]] = []
    for line in decoded.split("\n")[:-1]:
        assert line != r"\.", "this ends the data"
        # The comparison with NULL precedes the removal of escapes.
        rows.append([_unescaped(cell) if cell else None for cell in line.split("\t")])
    return rows


def _unescaped(cell: str) -> str:
    characters = iter(cell)
    text = ""
    for character in characters:
        if character == "\\":
            escaped = next(characters)
            assert escaped in _ESCAPED or not escaped.isalnum(), "an octal or hexadecimal code, or NULL"
            character = _ESCAPED.get(escaped, escaped)
        text += character
    return text


def expected(leads: list[LeadCells | None], first_row: int) -> list[list[str | None]]:
    return [
        [str(row), *(cell or None for cell in cells)]
        for row, cells in enumerate(leads, start=first_row)
        if cells is not None
    ]


# Any character that a valid lead may have, often one with a meaning for COPY.
cells = st.text(st.sampled_from("\\\t\n\r.Nnx0 ab\b\v\f\x85\u2028é😀")) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
)


@st.composite
def chunks(draw: st.DrawFn) -> list[LeadCells | None]:
    """Draw rows of one width, like those of one file. Some are no leads."""
    width = draw(st.integers(1, 4))
    row = st.tuples(*[cells] * width)
    return draw(st.lists(st.none() | row, max_size=6))


@given(chunks(), st.integers(2, 20_000_000))
@example([("\t", "\n")], 2)
@example([("a\tb", ""), ("", "c\nd")], 2)
@example([(r"\.",), (r"\N",), (r"\x41",), ("\\",), ("",)], 2)
@example([("a\rb",)], 2)
@example([None, ("a",), None], 2)
def test_copy_text_is_read_by_postgres_as_numbered_leads(
    leads: list[LeadCells | None], first_row: int
) -> None:
    assert read_as_postgres_does(copy_text(leads, first_row)) == expected(leads, first_row)


@pytest.mark.parametrize("leads", [[], [None], [None, None]])
def test_copy_text_without_leads_is_empty(leads: list[LeadCells | None]) -> None:
    assert copy_text(leads, 2) == b""


def test_copy_text_row_has_number_and_cells() -> None:
    leads = [("Ana", "06", ""), None, ("Zoé", "07", "x")]
    assert copy_text(leads, 2) == "2\tAna\t06\t\n4\tZoé\t07\tx\n".encode()


def test_copy_text_escapes_only_cells_that_need_it() -> None:
    assert copy_text([("Ana", "a\\b"), ("Bo", "c\td\r\n")], 9) == b"9\tAna\ta\\\\b\n10\tBo\tc\\td\\r\\n\n"
