"""Bounds keep a small hostile file from taking all memory or all time."""

import io
import tracemalloc
import unicodedata

import pytest

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats import header
from leads.formats.decoding import ByteSource
from leads.formats.dialect import HEADER_LINES
from leads.formats.header import COLUMNS_LIMIT, map_columns
from leads.formats.lines import LINE_LIMIT
from leads.formats.reader import CHUNK_CHARACTERS, ROW_LIMIT, LeadReader
from tests.unit.fakes import SourceThatNeverEnds

HEADER = b"name,phone,source\n"


def refusal(source: ByteSource) -> InvalidFile:
    with pytest.raises(InvalidFile) as caught:
        for _ in LeadReader(source).chunks():
            pass
    return caught.value


def test_endless_blank_rows_before_the_header_are_refused() -> None:
    refused = refusal(SourceThatNeverEnds(b"\n" * 65536))
    assert refused.code is FailureCode.EMPTY_FILE
    assert str(refused) == "The file's first 100 rows are empty: its first line must name the columns."


def test_header_below_the_last_allowed_blank_row_is_found() -> None:
    blank = b"\n" * (HEADER_LINES - 1)
    (chunk,) = LeadReader(io.BytesIO(blank + HEADER + b"Ana,06,web\n")).chunks()
    assert (chunk.first_row, chunk.lead_count) == (HEADER_LINES + 1, 1)


def test_endless_row_is_refused_with_its_number() -> None:
    cell = b'"' + (b"x" * 1000 + b"\n") * 1000 + b'",'
    refused = refusal(SourceThatNeverEnds(cell, HEADER + b"Ana,06,web\n"))
    assert refused.code is FailureCode.INVALID_CSV
    assert str(refused) == (
        f"Row 3 is longer than about {ROW_LIMIT:,} characters. "
        'Perhaps a quote (") opens in this row and is never closed.'
    )


def test_long_rows_of_one_line_are_read() -> None:
    row = b"Ana,06,web," + b"x" * (LINE_LIMIT - 100) + b"\n"
    reader = LeadReader(io.BytesIO(b"name,phone,source,more\n" + row * 9))
    assert sum(chunk.lead_count for chunk in reader.chunks()) == 9


def test_long_rows_of_several_lines_are_measured_one_by_one() -> None:
    cell = b',"' + (b"x" * 1000 + b"\n") * 2500 + b'"'
    content = b"name,phone,source,a,b\n" + (b"Ana,06,web" + cell * 2 + b"\n") * 9
    assert len(content) > 2 * ROW_LIMIT
    reader = LeadReader(io.BytesIO(content))
    assert sum(chunk.lead_count for chunk in reader.chunks()) == 9


def test_chunk_of_long_rows_has_few_of_them() -> None:
    row = b"Ana,06,web," + b"x" * 100_000 + b"\n"
    reader = LeadReader(io.BytesIO(b"name,phone,source,notes\n" + row * 200))
    sizes = [sum(map(len, chain_of(chunk.records))) for chunk in reader.chunks()]
    assert sum(sizes) > 200 * 100_000
    # The lines read for the header count for the first chunk, which ends at the first line beyond them.
    assert max(sizes) < 4 * CHUNK_CHARACTERS


def chain_of(records: list[list[str]]) -> list[str]:
    return [cell for record in records for cell in record]


def test_short_row_takes_no_memory_for_missing_columns() -> None:
    wide = b"name,phone,source" + b",x" * (COLUMNS_LIMIT - 3) + b"\n"
    reader = LeadReader(io.BytesIO(wide + b"Ana,06,web\n" * 1000))
    tracemalloc.start()
    try:
        (chunk,) = reader.chunks()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert chunk.lead_count == 1000
    assert peak < 10_000_000, "a list as wide as the header for each row has 131 MB"


def test_short_and_long_rows_are_faulty_or_read() -> None:
    reader = LeadReader(
        io.BytesIO(b"name,x,phone,source,notes\nAna,,06\nBo,,07,web\nCy,,08,web,,,!\nDo,,09,web,a,\n")
    )
    (chunk,) = reader.chunks()
    assert [lead[0] if lead else None for lead in chunk.leads] == [None, "Bo", None, "Do"]
    assert [(error.row, error.message) for error in chunk.errors] == [
        (2, "Source is required"),
        (4, "Row has 7 cells, the header has 5"),
    ]


def test_header_with_too_many_columns_is_refused() -> None:
    names = ["name", "phone", "source", *["x"] * (COLUMNS_LIMIT - 3)]
    assert map_columns(names).width == COLUMNS_LIMIT
    # The three columns of a report come on top.
    assert map_columns(["row", "outcome", "reason", *names]).width == COLUMNS_LIMIT + 3
    with pytest.raises(
        InvalidFile, match=r"^The header has 16,385 columns; a file may have 16,384\. Keep"
    ) as caught:
        map_columns([*names, "x"])
    assert caught.value.code is FailureCode.INVALID_HEADER


def test_long_column_name_is_not_normalized(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time to normalize accents grows with the square of their number."""
    lengths: list[int] = []

    class Watched:
        @staticmethod
        def normalize(form: str, text: str) -> str:
            lengths.append(len(text))
            return unicodedata.normalize("NFKD", text)

    monkeypatch.setattr(header, "unicodedata", Watched)
    name = "x" + "\u0301\u0316" * 50_000
    reader = LeadReader(io.BytesIO(f"name,phone,source,{name}\nAna,06,web,\n".encode()))
    (chunk,) = reader.chunks()
    assert chunk.lead_count == 1
    assert reader.ignored_columns == (f"{name[:60]}…",)
    assert lengths
    assert max(lengths) <= 100
