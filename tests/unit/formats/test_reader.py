"""A file becomes leads and faults, with their row numbers, whatever the chunk size."""

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.domain.failure_code import FailureCode
from leads.domain.lead import FIELDS
from leads.domain.lead_rules import row_errors
from leads.domain.row_error import RowError
from leads.errors import InvalidFile
from leads.formats.decoding import ByteSource
from leads.formats.lines import LINE_LIMIT
from leads.formats.reader import LeadReader
from tests.support.lead_row import LeadRow, numbered_leads
from tests.unit.fakes import SourceThatDribbles

HEADER = "name,phone,source,notes\n"
ANA = LeadRow("Ana", "0612345678", "", "web", "", "", "")


def open_file(content: str | bytes) -> ByteSource:
    return io.BytesIO(content.encode() if isinstance(content, str) else content)


def read(content: str | bytes, chunk_rows: int = 3) -> tuple[list[tuple[int, LeadRow]], list[RowError], int]:
    """Return the leads, the faults, and the number of counted rows."""
    reader = LeadReader(open_file(content), chunk_rows=chunk_rows)
    chunks = list(reader.chunks())
    leads = [lead for chunk in chunks for lead in numbered_leads(reader, chunk)]
    errors = [error for chunk in chunks for error in chunk.errors]
    return leads, errors, sum(chunk.lead_count + len(chunk.faulty) for chunk in chunks)


def leads_of(content: str | bytes) -> list[tuple[int, LeadRow]]:
    leads, errors, _ = read(content)
    assert errors == []
    return leads


def refusal(content: str | bytes, chunk_rows: int = 3) -> tuple[FailureCode, str]:
    with pytest.raises(InvalidFile) as caught:
        read(content, chunk_rows)
    return caught.value.code, str(caught.value)


def unclosed(row: int) -> tuple[FailureCode, str]:
    return (
        FailureCode.INVALID_CSV,
        f'Row {row}: a quote (") opens in this row and is never closed. '
        "Close it, or double it inside a quoted cell.",
    )


def test_header_is_row_1_and_first_lead_row_2() -> None:
    assert leads_of("name,phone,source\nAna,0612345678,WEB\n") == [(2, ANA)]


def test_cells_come_from_the_columns_of_the_header() -> None:
    header = "Origine;Commentaire;Source;E-mail;Tél;Score;Prénom;Nom\n"
    assert leads_of(header + "Salon;Rappeler;web;a@b.example;06;7;Ana;Ruiz\n") == [
        (2, LeadRow("Ana Ruiz", "06", "a@b.example", "web", "Salon", "7", "Rappeler"))
    ]


def test_name_with_an_empty_part_is_the_other_part() -> None:
    leads = leads_of("Nom,Prénom,phone,source\nRuiz,,06,web\n , Ana ,06,web\n")
    assert [lead.name for _, lead in leads] == ["Ruiz", "Ana"]


def test_sep_line_has_no_row_number() -> None:
    assert leads_of("sep=^\r\nname^phone^source\r\nAna^0612345678^web\r\n") == [(2, ANA)]


def test_quoted_line_break_stays_in_its_cell() -> None:
    leads = leads_of(HEADER + 'Ana,06,web,"one\r\ntwo\rthree\n\nfour"\nBo,07,web,\n')
    assert [(row, lead.notes) for row, lead in leads] == [(2, "one\r\ntwo\rthree\n\nfour"), (3, "")]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_blank_row_has_a_number_and_is_not_counted(end: str) -> None:
    rows = ["name,phone,source", "Ana,06,web", "", ",,", " ,\u00a0,\t", "Bo,,web", '"","",""', "Cy,07,web"]
    leads, errors, counted = read(end.join(rows))
    assert [row for row, _ in leads] == [2, 8]
    assert errors == [RowError(6, "phone", "Phone is required")]
    assert counted == 3


def test_header_below_blank_rows_has_its_row_number() -> None:
    assert leads_of("\n  \n;;;\nname;phone;source\nAna;0612345678;web\n") == [(5, ANA)]


def test_line_ends_may_be_mixed() -> None:
    leads = leads_of("name,phone,source\rA,1,web\nB,2,web\r\nC,3,web")
    assert [(row, lead.name) for row, lead in leads] == [(2, "A"), (3, "B"), (4, "C")]


def test_cells_are_trimmed_of_outer_unicode_white_space() -> None:
    space = " \t\u00a0\u2003\u202f\u3000\u0085"
    ((_, lead),) = leads_of(
        f'name,phone,source\n"{space}Ana{space}Ruiz{space}",{space}06 12{space},{space}web\n'
    )
    assert lead[:4] == (f"Ana{space}Ruiz", "06 12", "", "web")


def test_characters_without_the_white_space_property_stay() -> None:
    ((_, lead),) = leads_of("name,phone,source\n\u200bAna\u2060,06,web\n")
    assert lead.name == "\u200bAna\u2060"
    assert read("name,phone,source\n\u2060,,\n")[2] == 1


def test_formula_guard_is_removed() -> None:
    ((_, lead),) = leads_of(HEADER + "'=Ana,'+33612345678,web,'@home\n")
    assert (lead.name, lead.phone, lead.notes) == ("=Ana", "'+33612345678", "@home")


def test_cells_may_be_quoted_after_a_space_like_the_header() -> None:
    rows = '"Ruiz, Ana", "06", "web", "He said ""no"""\n'
    ((_, lead),) = leads_of('"name", "phone", "source", "notes"\n' + rows)
    assert (lead.name, lead.phone, lead.notes) == ("Ruiz, Ana", "06", 'He said "no"')


def test_quote_after_a_space_is_a_letter_otherwise() -> None:
    ((_, lead),) = leads_of(HEADER + 'Ana,06,web, "Le Clos" "3 rooms"\n')
    assert lead.notes == '"Le Clos" "3 rooms"'


def test_short_row_has_empty_last_cells() -> None:
    leads, errors, counted = read(HEADER + "Ana,06,web\nBo\n")
    assert [row for row, _ in leads] == [2]
    assert errors == [RowError(3, "phone", "Phone is required"), RowError(3, "source", "Source is required")]
    assert counted == 2


def test_cell_beyond_the_header_is_one_more_fault() -> None:
    _, errors, counted = read(HEADER + "Ana,06,web,,,extra,,\nBo,,web,,more\n")
    assert errors == [
        RowError(2, None, "Row has 6 cells, the header has 4"),
        RowError(3, "phone", "Phone is required"),
        RowError(3, None, "Row has 5 cells, the header has 4"),
    ]
    assert counted == 2


def test_empty_cells_beyond_the_header_are_ignored() -> None:
    assert len(leads_of(HEADER + "Ana,06,web,,, ,\u00a0\n")) == 1
    assert len(leads_of("name,phone,source,,\nAna,06,web,,\n")) == 1


def test_nul_is_the_fault_of_its_row_alone() -> None:
    leads, errors, _ = read(HEADER + "A\x00na,06,web,\nBo,07,web,\n")
    assert errors == [RowError(2, "name", "Name contains a NUL character")]
    assert [row for row, _ in leads] == [3]


@pytest.mark.parametrize(
    "cell", ["x" * 1_000_000, '"' + "x\n" * 500_000 + '"'], ids=["one line", "quoted lines"]
)
def test_cell_of_a_million_characters_is_read(cell: str) -> None:
    leads, errors, _ = read(f"{HEADER}Ana,06,web,{cell}\nBo,07,web,\n")
    assert errors == [RowError(2, "notes", "Notes is longer than 10,000 characters")]
    assert [row for row, _ in leads] == [3]
    assert len(leads_of(f"ville,name,phone,source\n{cell},Ana,06,web\n")) == 1


def test_cell_over_the_limit_is_refused_with_its_row() -> None:
    lines = "x\n" * (LINE_LIMIT // 2 + 1)
    assert refusal(f'{HEADER}Ana,06,web,\nBo,07,web,"{lines}"\n') == (
        FailureCode.INVALID_CSV,
        "Row 3: a cell is longer than 4,194,304 characters. "
        'Perhaps a quote (") opens in this row and is never closed.',
    )


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("rest", ['"', 'Cy,08,web,"', '"Cy', 'Cy,"08,web\nDi,09,web,\n\n', '"\n', '"Cy""'])
def test_unclosed_quote_is_refused_with_its_row(rest: str, chunk_rows: int) -> None:
    assert refusal(f'{HEADER}Ana,06,web,"a\nb"\n\nBo,07,web,\n{rest}', chunk_rows) == unclosed(5)


def test_unclosed_quote_in_the_header_is_refused() -> None:
    assert refusal('name,phone,"source\nAna,06,web\n') == unclosed(1)


def test_cell_like_the_end_line_is_a_cell() -> None:
    leads, errors, _ = read("name,phone,source\nend-of-file,06,web\nend-of-file")
    assert [lead.name for _, lead in leads] == ["end-of-file"]
    assert [error.row for error in errors] == [3, 3]


@pytest.mark.parametrize("content", ["name,phone,source", "name,phone,source\n\n \n,,\n"])
def test_header_alone_is_a_file_without_rows(content: str) -> None:
    assert read(content) == ([], [], 0)


@pytest.mark.parametrize("content", ["\n", "\r\n \n\u00a0\n", "\ufeff", "sep=;\n"])
def test_file_without_data_is_refused(content: str) -> None:
    message = "The file holds no data: its first line must name the columns."
    assert refusal(content) == (FailureCode.EMPTY_FILE, message)


def test_file_that_breaks_later_is_refused_there() -> None:
    content = (HEADER + "Ané,06,web,\n" * 30_000).encode() + b"\xff\n"
    chunks: Iterator[object] = LeadReader(open_file(content), chunk_rows=10).chunks()
    next(chunks)
    with pytest.raises(InvalidFile, match=f"the byte at offset {len(content) - 2:,} is not"):
        list(chunks)


def test_ignored_columns_are_known_before_the_first_row() -> None:
    assert LeadReader(open_file("name,ville,phone,source,\n")).ignored_columns == ("ville",)


cells = st.text(st.sampled_from('ab7 ,;\t|"\n\r\u00a0é\x00=😀'), max_size=6)
names_and_sources = st.sampled_from(["Ana", "web", "WEB", "06", "é", ""])
records = st.lists(st.lists(names_and_sources | cells, max_size=5), max_size=12)
layouts = st.tuples(st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r", "\r\n"]), st.integers(1, 13))


@given(records, layouts, st.lists(st.integers(1, 7), min_size=1))
def test_rows_are_read_as_written_in_any_layout(
    written: list[list[str]], layout: tuple[str, str, int], sizes: list[int]
) -> None:
    delimiter, line_end, chunk_rows = layout
    file = io.StringIO(newline="")
    table = [["name", "phone", "source", "notes"], *written]
    csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(table)
    reader = LeadReader(SourceThatDribbles(file.getvalue().encode(), sizes), chunk_rows=chunk_rows)
    chunks = list(reader.chunks())

    leads, errors = [], []
    for row, record in enumerate(written, start=2):
        name, phone, source, notes, *extra = [cell.strip(" \t\n\r\u00a0") for cell in [*record, *[""] * 4]]
        lead = LeadRow(name, phone, "", source, "", "", notes)
        faults = row_errors(row, FIELDS, lead)
        if extra and extra[0]:
            faults.append(RowError(row, None, "Row has 5 cells, the header has 4"))
        if faults and any([name, phone, source, notes, *extra]):
            errors += faults
        elif not faults:
            leads.append((row, lead._replace(source=source.lower())))
    assert [lead for chunk in chunks for lead in numbered_leads(reader, chunk)] == leads
    assert [error for chunk in chunks for error in chunk.errors] == errors
    assert sum(len(chunk.faulty) for chunk in chunks) == len({error.row for error in errors})


@given(st.binary() | st.text(st.sampled_from('ab1,"\n\r;\x00')).map(str.encode), st.booleans())
def test_any_bytes_are_read_or_refused_without_a_nul(rest: bytes, headed: bool) -> None:
    """Postgres stores no NUL, so a reason must not quote one."""
    reason = "none"
    try:
        read(b"name,phone,source\n" + rest if headed else rest)
    except InvalidFile as error:
        reason = str(error)
    assert reason
    assert "\x00" not in reason
