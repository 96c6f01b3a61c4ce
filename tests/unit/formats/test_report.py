"""A report is written like its file, and an import reads the same leads and faults in both."""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leads.domain.row_error import RowError
from leads.formats.dialect import BYTE_ORDER_MARK
from leads.formats.formula_guard import guard, guard_again
from leads.formats.header import REPORT_COLUMNS
from leads.formats.reader import LeadReader
from leads.formats.report import DUPLICATE_REASON, Outcome, ReportFormat, ReportRow

REASON = "Phone is required"


def report_of(file: bytes) -> bytes:
    """Return the report of a file of which no row was imported."""
    reader = LeadReader(io.BytesIO(file), chunk_rows=3)
    report = reader.report_format.header()
    for chunk in reader.chunks():
        rows = [
            ReportRow(chunk.first_row + at, Outcome.DUPLICATE, DUPLICATE_REASON, record)
            for at, record in enumerate(chunk.records)
            # A blank row was never to be imported.
            if chunk.leads[at] is not None or at in chunk.faulty
        ]
        report += b"".join(reader.report_format.lines(rows))
    return report


def format_of(file: str, encoding: str = "utf-8") -> ReportFormat:
    return LeadReader(io.BytesIO(file.encode(encoding))).report_format


class Meaning(NamedTuple):
    """Return the lead or the faults of each row of a file that is not blank."""

    fields: tuple[str, ...]
    ignored_columns: tuple[str, ...]
    rows: list[tuple[str, ...] | list[str]]


def meaning_of(file: bytes) -> Meaning:
    reader = LeadReader(io.BytesIO(file), chunk_rows=4)
    rows: list[tuple[str, ...] | list[str]] = []
    for chunk in reader.chunks():
        for at, lead in enumerate(chunk.leads):
            if lead is not None:
                rows.append(lead)
            elif at in chunk.faulty:
                rows.append([_said(error) for error in chunk.errors if error.row == chunk.first_row + at])
    # A report has three more columns, which count in these faults and in the number of a nameless column.
    ignored = tuple("" if name.endswith(", without a name)") else name for name in reader.ignored_columns)
    return Meaning(reader.fields, ignored, rows)


def _said(error: RowError) -> str:
    return "Row has too many cells" if error.message.startswith("Row has ") else error.message


@pytest.mark.parametrize(
    ("file", "delimiter", "mark"),
    [
        ("name,phone,source\n", ",", ""),
        (f"{BYTE_ORDER_MARK}name,phone,source\n", ",", BYTE_ORDER_MARK),
        ("name;phone;source\n", ";", BYTE_ORDER_MARK),
        ("name\tphone\tsource\n", "\t", BYTE_ORDER_MARK),
        ("name|phone|source\n", "|", BYTE_ORDER_MARK),
        ("sep=;\nname;phone;source\n", ";", BYTE_ORDER_MARK),
        ("sep=,\nname,phone,source\n", ",", ""),
        # No header yields this delimiter, and a report has no sep= line.
        ("sep=^\nname^phone^source\n", ",", ""),
        (f"{BYTE_ORDER_MARK}sep=^\nname^phone^source\n", ",", BYTE_ORDER_MARK),
    ],
)
def test_report_has_delimiter_and_mark_of_its_file(file: str, delimiter: str, mark: str) -> None:
    header = delimiter.join([*REPORT_COLUMNS, "name", "phone", "source"])
    assert format_of(file).header() == f"{mark}{header}\r\n".encode()
    line = delimiter.join(["2", "error", REASON, "Ana", "", "web"])
    rows = [ReportRow(2, Outcome.ERROR, REASON, ["Ana", "", "web"])]
    assert format_of(file).lines(rows) == [f"{line}\r\n".encode()]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_report_is_utf_8_whatever_its_file_was(encoding: str) -> None:
    layout = format_of("Prénom;Téléphone;Source\n", encoding)
    assert layout.header() == f"{BYTE_ORDER_MARK}row;outcome;reason;Prénom;Téléphone;Source\r\n".encode()


def test_report_has_columns_and_extra_cells_of_its_file() -> None:
    layout = format_of(" Nom ,Tél,,Canal,Vi\x00lle,,\nA\n")
    assert layout.header() == "row,outcome,reason,Nom,Tél,,Canal,Vi\ufffdlle\r\n".encode()
    rows = [
        ReportRow(7, Outcome.ERROR, "x; y", ["Ana"]),
        ReportRow(1_000_000, Outcome.DUPLICATE, DUPLICATE_REASON, list("abcdefg")),
    ]
    assert layout.lines(rows) == [
        b"7,error,x; y,Ana\r\n",
        b"1000000,duplicate,Phone belongs to an active lead or to an earlier row,a,b,c,d,e,f,g\r\n",
    ]


def test_no_rows_are_no_lines() -> None:
    assert format_of("name,phone,source\n").lines([]) == []


def test_special_characters_of_csv_are_quoted() -> None:
    record = ["a,b", 'say "x"', "one\ntwo", "one\rtwo", "a;b", ""]
    (line,) = format_of("name,phone,source\n").lines([ReportRow(2, Outcome.ERROR, "a, b", record)])
    assert line == b'2,error,"a, b","a,b","say ""x""","one\ntwo","one\rtwo",a;b,\r\n'


def test_cells_names_and_reasons_are_guarded() -> None:
    layout = format_of("name,phone,source,=cmd\n")
    assert layout.header() == b"row,outcome,reason,name,phone,source,'=cmd\r\n"
    rows = [ReportRow(2, Outcome.ERROR, "=x", ["=1", "+33612345678", "@web", "+1+2"])]
    assert layout.lines(rows) == [b"2,error,'=x,'=1,+33612345678,'@web,'+1+2\r\n"]


def test_columns_of_an_earlier_report_are_replaced() -> None:
    file = b"Row,OUTCOME,reason,name,phone,source,Ville\n4,error,Phone is required,Ana,,web,Nice\n9\n"
    again = report_of(file)
    assert again.splitlines() == [
        b"row,outcome,reason,name,phone,source,Ville",
        b"2,duplicate,Phone belongs to an active lead or to an earlier row,Ana,,web,Nice",
        b"3,duplicate,Phone belongs to an active lead or to an earlier row",
    ]
    assert report_of(again).splitlines()[1] == again.splitlines()[1]


# Mostly characters that delimiters, quotes, trimming and the formula guard treat.
cells = st.text(st.sampled_from("ab07,;|^\t\"'\n\r \u00a0=+-@é\x00")) | st.sampled_from(["06", "web", "Ana"])
records = st.lists(cells, max_size=6) | st.builds(
    lambda name, notes: [name, "06", "Web", notes], cells, cells
)
tables = st.lists(records, max_size=8)
extra_names = st.lists(st.text(st.sampled_from("xy\t\"'\n =@é-,;|")), max_size=2)
delimiters = st.sampled_from(",;\t|^")
NAMES = ("name", "phone", "source", "notes")


def file_of(names: Sequence[str], records: Sequence[Sequence[str]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    text.write(f"sep={delimiter}\n")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([names, *records])
    return text.getvalue().encode()


@given(tables, delimiters)
@example([["'=1", "06", "web", "''@x"]], ",")
@example([["\tAna", "\t06", "web", "\t=1"], ["Bo", "\t", "web", "'\t"]], ";")
def test_report_is_read_like_its_file(table: list[list[str]], delimiter: str) -> None:
    file = file_of([*NAMES, "Ville"], table, delimiter)
    meant = meaning_of(file)
    report = report_of(file)
    assert meaning_of(report) == meant
    # A report of a report is the same: rows that are sent again may be reported again.
    assert meaning_of(report_of(report)) == meant


@given(tables, delimiters, st.lists(st.sampled_from(["Phone is required", "a; b, c", "=x"]), min_size=8))
@example([["Ana", "06"], []], ",", ["x", "x"])
def test_line_is_that_of_csv_writer(table: list[list[str]], delimiter: str, reasons: list[str]) -> None:
    layout = LeadReader(io.BytesIO(file_of(NAMES, [], delimiter))).report_format
    rows = [
        ReportRow(at, Outcome.ERROR if at % 3 else Outcome.DUPLICATE, reason, record)
        for at, (reason, record) in enumerate(zip(reasons, table, strict=False), start=2)
    ]
    expected = []
    for row in rows:
        text = io.StringIO(newline="")
        cells = [guard_again(cell.strip()) for cell in row.record]
        csv.writer(text, delimiter=layout.delimiter).writerow(
            [row.row, row.outcome, guard(row.reason), *cells]
        )
        expected.append(text.getvalue().encode())
    assert layout.lines(rows) == expected
    # Together, and alone.
    assert [line for row in rows for line in layout.lines([row])] == expected


@given(extra_names, delimiters)
@example(["=x", "'=x"], ",")
def test_column_names_of_a_report_are_read_like_its_files(extra: list[str], delimiter: str) -> None:
    file = file_of([*NAMES, *extra], [], delimiter)
    assert meaning_of(report_of(file)) == meaning_of(file)


@given(tables, extra_names, delimiters)
def test_no_cell_of_a_report_is_a_formula(table: list[list[str]], extra: list[str], delimiter: str) -> None:
    file = file_of([*NAMES, *extra], table, delimiter)
    layout = LeadReader(io.BytesIO(file)).report_format
    text = io.StringIO(report_of(file).decode("utf-8-sig"), newline="")
    for record in csv.reader(text, delimiter=layout.delimiter):
        assert all(cell.startswith("'") or guard(cell) == cell for cell in record)


def test_column_name_with_delimiters_does_not_mislead() -> None:
    names = ["x|name|phone|source|email|notes|score", *NAMES]
    file = file_of(names, [["a", "Ana", "06", "web", "b"]], ";")
    assert meaning_of(report_of(file)) == meaning_of(file)
