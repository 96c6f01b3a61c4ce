"""A guarded cell is harmless to a spreadsheet, and unguarding gives back every string as it was."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leads.formats.formula_guard import guard, guard_again, may_change, unguard

# Mostly what the rule looks at, so that its corners are met often.
cells = st.text(st.sampled_from("'=@\t\r\n+-059 .,()Aé\0")) | st.text()


def is_dangerous(cell: str) -> bool:
    """The rule in words: first `=`, `@`, tab or CR; or `+` or `-`, unless it is all a phone or a number."""
    if cell[:1] in ("+", "-"):
        return not (cell[1:2] in tuple("0123456789") and set(cell[2:]) <= set("0123456789 .,()"))
    return cell[:1] in ("=", "@", "\t", "\r")


@given(cells)
def test_unguarding_gives_back_what_was_guarded(cell: str) -> None:
    assert unguard(guard(cell)) == cell


@given(cells)
def test_a_guarded_cell_is_never_dangerous(cell: str) -> None:
    assert not is_dangerous(guard(cell))


@given(cells)
def test_one_apostrophe_is_put_before_what_is_dangerous_behind_its_apostrophes_and_nothing_else(
    cell: str,
) -> None:
    assert guard(cell) == ("'" + cell if is_dangerous(cell.lstrip("'")) else cell)


@given(cells)
def test_unguarding_takes_an_apostrophe_only_where_guarding_puts_it(cell: str) -> None:
    rest = cell[1:]
    assert unguard(cell) == (rest if cell == guard(rest) and cell != rest else cell)


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "+cmd|'/c calc'!A0",
        "-1+2",
        "+",
        "-",
        "+33-6-12",
        "+1\n",
        "'=1",
        "''@a",
        "+\u0663",
    ],
)
def test_a_formula_gets_one_apostrophe(cell: str) -> None:
    assert guard(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "Ana",
        "+33612345678",
        "+33 (0)6 12 34 56 78",
        "-12.5",
        "-1 000,50",
        "O'Brien",
        "'quoted'",
        "'+33612345678",
        " =1",
    ],
)
def test_a_phone_a_number_and_plain_text_stay_as_they_are(cell: str) -> None:
    assert guard(cell) == cell
    assert unguard(cell) == cell


def test_a_long_run_of_apostrophes_costs_no_more_than_its_length() -> None:
    cell = "'" * 1_000_000
    assert guard(cell) == cell
    assert guard(cell + "=") == f"'{cell}="


def may_change_one_of(cells: list[str]) -> bool:
    return may_change("\0".join(("", *cells, "")), len(cells))


@given(st.lists(cells))
@example(["+1\0abc"])
def test_cells_that_are_told_unchanged_are(cells: list[str]) -> None:
    assert may_change_one_of(cells) or all(guard_again(cell) == cell for cell in cells)


def test_what_most_files_hold_is_told_unchanged() -> None:
    cells = ["Zoé O'Brien", "+33 (0)6 12 34 56 78", "a@b.example", "web", "", "-12.5", "a=b\n c"]
    assert not may_change_one_of(cells)
    assert may_change_one_of([*cells, "=1"])
