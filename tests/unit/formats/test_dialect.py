"""The delimiter is found in the first lines, and none of them is lost."""

import pytest

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats.dialect import BYTE_ORDER_MARK, find_dialect


def delimiter_of(*lines: str) -> str:
    return find_dialect(iter(lines)).delimiter


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_in_the_header(delimiter: str) -> None:
    header = delimiter.join(["name", "phone", "source", "notes"])
    assert delimiter_of(f"{header}\r\n", "a,b;c|d\te,f,g,h,i\r\n") == delimiter


def test_delimiter_with_more_known_names_wins() -> None:
    assert delimiter_of("name;phone;source;budget, surface, rooms, floor, garden\n") == ";"


def test_delimiter_with_more_cells_wins_without_known_names() -> None:
    assert delimiter_of("colour|size|weight, in kg\n") == "|"


def test_quoted_name_may_hold_delimiters_and_line_breaks() -> None:
    assert delimiter_of('"phone, mobile,\n', 'or, if none, fixed";name;source\n') == ";"


def test_header_of_one_column_is_comma_separated() -> None:
    assert delimiter_of("name\n", "a;b\n") == ","


@pytest.mark.parametrize("blank", ["\n", "  \n", "\u00a0\r\n", ";;\n"])
def test_blank_lines_do_not_decide_the_delimiter(blank: str) -> None:
    assert delimiter_of(blank, "name;phone;source\n") == ";"


def test_empty_file_has_a_dialect() -> None:
    dialect = find_dialect(iter([]))
    assert (dialect.delimiter, dialect.has_bom, list(dialect.lines)) == (",", False, [])


@pytest.mark.parametrize("first", ["name;phone;source\n", '"name";"phone";"source"\n', "\n", ""])
def test_byte_order_mark_is_removed_and_noted(first: str) -> None:
    rest = ["name;phone;source\n"]
    with_bom = find_dialect(iter([BYTE_ORDER_MARK + first, *rest]))
    assert (with_bom.delimiter, with_bom.has_bom, list(with_bom.lines)) == (";", True, [first, *rest])
    plain = find_dialect(iter([first, *rest]))
    assert (plain.delimiter, plain.has_bom, list(plain.lines)) == (";", False, [first, *rest])


def test_byte_order_mark_counts_once_and_only_at_the_start() -> None:
    lines = [f"name{BYTE_ORDER_MARK},phone,source\n", f"{BYTE_ORDER_MARK}a,1,web\n"]
    without_bom = find_dialect(iter(lines))
    assert (without_bom.has_bom, list(without_bom.lines)) == (False, lines)
    twice = find_dialect(iter([2 * BYTE_ORDER_MARK + "name\n"]))
    assert list(twice.lines) == [f"{BYTE_ORDER_MARK}name\n"]


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("sep=;\r\n", ";"),
        ("SEP=|\n", "|"),
        ("sep=\t\r", "\t"),
        ('"sep=,"\n', ","),
        ("sep=^\n", "^"),
        ("sep=;", ";"),
    ],
)
@pytest.mark.parametrize("mark", ["", BYTE_ORDER_MARK])
def test_sep_line_is_obeyed_and_dropped(mark: str, line: str, delimiter: str) -> None:
    dialect = find_dialect(iter([mark + line, "name,phone,source\n", "a,1,web\n"]))
    assert (dialect.delimiter, dialect.has_bom) == (delimiter, bool(mark))
    assert list(dialect.lines) == ["name,phone,source\n", "a,1,web\n"]


@pytest.mark.parametrize(
    "line", ["sep=a\n", "sep=1\n", 'sep="\n', "sep= \n", "sep=\n", "sep=\r\n", "sep=\x00\n"]
)
def test_sep_line_without_a_delimiter_is_refused(line: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        delimiter_of(line, "name,phone,source\n")
    assert caught.value.code is FailureCode.INVALID_CSV
    assert str(caught.value) == (
        "The first line's sep= names a character that cannot be a delimiter. Name a comma, a semicolon, a "
        "tab or |, or delete the line."
    )


@pytest.mark.parametrize("first", ["name,phone,source\n", "\n", "sep=;;\n"])
def test_sep_line_is_the_whole_first_line(first: str) -> None:
    lines = [first, "sep=|\n", "name,phone,source\n"]
    assert list(find_dialect(iter(lines)).lines) == lines


def test_no_line_is_lost_by_looking_ahead() -> None:
    lines = ["name,phone,source\n", *(f"a{number},1,web\n" for number in range(500))]
    assert list(find_dialect(iter(lines)).lines) == lines
