"""A guarded cell is harmless in a spreadsheet, and unguarding restores every string."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leads.formats.formula_guard import guard, guard_again, may_change, unguard

# Mostly characters of the rule, so that its corner cases are frequent.
cells = st.text(st.sampled_from("'=@\t\r\n+-059 .,()Aé\0")) | st.text()


def is_dangerous(cell: str) -> bool:
    """Tell whether a cell is dangerous, by the rule in words."""
    if cell[:1] in ("+", "-"):
        return not (cell[1:2] in tuple("0123456789") and set(cell[2:]) <= set("0123456789 .,()"))
    return cell[:1] in ("=", "@", "\t", "\r")


@given(cells)
def test_unguard_reverses_guard(cell: str) -> None:
    assert unguard(guard(cell)) == cell


@given(cells)
def test_guarded_cell_is_never_dangerous(cell: str) -> None:
    assert not is_dangerous(guard(cell))


@given(cells)
def test_guard_adds_one_apostrophe_to_dangerous_cells_only(
    cell: str,
) -> None:
    assert guard(cell) == ("'" + cell if is_dangerous(cell.lstrip("'")) else cell)


@given(cells)
def test_unguard_removes_only_an_apostrophe_of_guard(cell: str) -> None:
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
def test_formula_gets_one_apostrophe(cell: str) -> None:
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
def test_phone_number_and_plain_text_are_unchanged(cell: str) -> None:
    assert guard(cell) == cell
    assert unguard(cell) == cell


def test_many_apostrophes_take_linear_time() -> None:
    cell = "'" * 1_000_000
    assert guard(cell) == cell
    assert guard(cell + "=") == f"'{cell}="


def may_change_one_of(cells: list[str]) -> bool:
    return may_change("\0".join(("", *cells, "")), len(cells))


@given(st.lists(cells))
@example(["+1\0abc"])
def test_may_change_is_false_only_for_unchanged_cells(cells: list[str]) -> None:
    assert may_change_one_of(cells) or all(guard_again(cell) == cell for cell in cells)


def test_may_change_is_false_for_ordinary_cells() -> None:
    cells = ["Zoé O'Brien", "+33 (0)6 12 34 56 78", "a@b.example", "web", "", "-12.5", "a=b\n c"]
    assert not may_change_one_of(cells)
    assert may_change_one_of([*cells, "=1"])
