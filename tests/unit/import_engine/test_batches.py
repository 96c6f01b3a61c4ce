"""Check that batches of any size hold every row once, and the lines that may be reported."""

import io
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.domain.failure_code import FailureCode
from leads.domain.row_error import RowError
from leads.formats.reader import LeadReader
from leads.import_engine.batches import Batch, FileLayout, ReadTask, read_batches
from leads.import_engine.phone_filter import StoredPhones
from leads.postgres.copy_text import copy_text
from tests.unit.fakes import SourceThatDribbles, SourceThatNeverEnds
from tests.unit.import_engine.reading import reading_of


def of_rows(chunk_rows: int) -> ReadTask:
    return ReadTask(chunk_rows, may_skip=True)


FILE = (
    "Ville;Nom;Tél;Source\n"
    "Nice;Ana;06 1;WEB\n"  # row 2
    "Nice;Bo;;fax\n"
    ";;;\n"  # blank
    'Nice;"C\ny";07;phone\n'
    "Nice;Di;08;web;extra\n"
).encode()


def test_read_batches_returns_layout_of_the_header_first() -> None:
    layout, _ = read_batches(io.BytesIO(FILE), ReadTask(chunk_rows=2, may_skip=True))
    reader = LeadReader(io.BytesIO(FILE))
    assert layout == FileLayout(("name", "phone", "source"), ("Ville",), reader.report_format)


def test_batch_holds_leads_for_copy_and_errors_of_other_rows() -> None:
    batches = [batch for batch, _ in reading_of(read_batches, io.BytesIO(FILE), of_rows(3)).batches]
    assert batches == [
        Batch(
            last_row=4,
            leads=1,
            faulty=1,
            block=b"2\tAna\t06 1\tweb\n",
            errors=[
                RowError(3, "phone", "Phone is required"),
                RowError(3, "source", "Invalid source value: fax"),
            ],
            error_count=2,
            packed_lines=b"",
        ),
        Batch(
            last_row=6,
            leads=1,
            faulty=1,
            block=b"5\tC\\ny\t07\tphone\n",
            errors=[RowError(6, None, "Row has 5 cells, the header has 4")],
            error_count=1,
            packed_lines=b"",
        ),
    ]


DUPLICATE = "Phone belongs to an active lead or to an earlier row"
LINES = {
    2: f"2;duplicate;{DUPLICATE};Nice;Ana;06 1;WEB\r\n",
    3: '3;error;"Phone is required; Invalid source value: fax";Nice;Bo;;fax\r\n',
    5: f'5;duplicate;{DUPLICATE};Nice;"C\ny";07;phone\r\n',
    6: "6;error;Row has 5 cells, the header has 4;Nice;Di;08;web;extra\r\n",
}


def lines_of(rows: Iterable[int]) -> bytes:
    return "".join(LINES[row] for row in rows).encode()


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    ("may_skip", "rows"), [(True, [2, 3, 5, 6]), (False, [3, 6])], ids=["SKIP", "OVERWRITE"]
)
def test_report_lines_of_rows_hold_the_cells_of_the_file(
    may_skip: bool, rows: list[int], chunk_rows: int
) -> None:
    reading = reading_of(read_batches, io.BytesIO(FILE), ReadTask(chunk_rows, may_skip))
    assert b"".join(lines for _, lines in reading.batches) == lines_of(rows)
    assert len(reading.batches) == -(-5 // chunk_rows)


@pytest.mark.parametrize("skipped", [[], [2], [5], [5, 2]], ids=lambda rows: f"rows {rows}")
def test_report_lines_hold_skipped_rows_and_faulty_rows_only(skipped: list[int]) -> None:
    _, (batch,) = read_batches(io.BytesIO(FILE), of_rows(100))
    assert batch.report_lines(skipped) == lines_of(sorted([3, 6, *skipped]))


def test_possible_duplicate_has_a_report_line() -> None:
    file = b"name,phone,source\nA,0612345678,web\nB,06 12 34 56 78,web\nC,+33612345678,web\nD,,web\n"
    _, (first, second) = read_batches(io.BytesIO(file), ReadTask(2, True, StoredPhones("", recent=10)))
    assert first.report_lines([3]).startswith(b"3,duplicate,")
    assert [line[:4] for line in second.report_lines([4]).splitlines()] == [b"4,du", b"5,er"]
    assert (first.hints, second.hints) == (([3], [2]), ([4], [2]))


def test_duplicate_that_may_not_be_skipped_is_staged() -> None:
    file = b"name,phone,source\nA,0612345678,web\nB,0612345678,web\n"
    _, (batch,) = read_batches(io.BytesIO(file), ReadTask(10, False, StoredPhones("", recent=10)))
    assert (batch.leads, len(batch.block.splitlines()), batch.hints) == (2, 2, None)


def test_batch_that_may_not_skip_packs_faulty_rows_only() -> None:
    """A row that cannot be reported takes no memory."""
    file = b"name,phone,source\n" + b"Ana Ruiz,0612345678,web\n" * 1000 + b"Zenobia,,web\n"
    _, (batch,) = read_batches(io.BytesIO(file), ReadTask(2000, may_skip=False))
    assert batch.report_lines([]) == b"1002,error,Phone is required,Zenobia,,web\r\n"
    assert len(batch.packed_lines) < 200


cells = st.sampled_from(["Ana", "06", "web", "", "x\ty", "\\", "a\nb"])
rows = st.sampled_from([["Ana", "06", "web"], ["x\ty", "06", "web"], ["", "06", "web"]]) | st.lists(
    cells, max_size=5
)
tables = st.lists(rows, max_size=20)


@given(tables, st.integers(1, 25))
def test_read_batches_of_any_size_returns_the_same_rows(table: list[list[str]], size: int) -> None:
    lines = "".join(",".join(f'"{cell}"' for cell in record) + "\n" for record in table)
    file = f"name,phone,source\n{lines}".encode()
    # The whole file is one chunk, or no chunk if it has no rows.
    whole = list(LeadReader(io.BytesIO(file)).chunks())
    batches = [batch for batch, _ in reading_of(read_batches, io.BytesIO(file), of_rows(size)).batches]
    assert b"".join(batch.block for batch in batches) == b"".join(
        copy_text(chunk.leads, 2) for chunk in whole
    )
    assert [error for batch in batches for error in batch.errors] == [
        error for chunk in whole for error in chunk.errors
    ]
    assert sum(batch.leads for batch in batches) == sum(chunk.lead_count for chunk in whole)
    assert sum(batch.faulty for batch in batches) == sum(len(chunk.faulty) for chunk in whole)
    last = len(table) + 1
    assert [batch.last_row for batch in batches] == [
        min(first + size - 1, last) for first in range(2, last + 1, size)
    ]


def test_batches_with_many_errors_list_first_ones_and_count_all() -> None:
    file = b"name,phone,source\n" + b"Ana,,fax\n" * 1200
    batches = [batch for batch, _ in reading_of(read_batches, io.BytesIO(file), of_rows(400)).batches]
    assert [(batch.faulty, len(batch.errors), batch.error_count) for batch in batches] == [
        (400, 800, 800),
        (400, 200, 800),
        (400, 0, 800),
    ]
    assert batches[1].errors[-1] == RowError(501, "source", "Invalid source value: fax")


def test_read_batches_of_header_alone_returns_no_batch() -> None:
    reading = reading_of(read_batches, io.BytesIO(b"name,phone,source\n"))
    assert (len(reading.layouts), reading.batches, reading.refusal) == (1, [], None)


def test_read_batches_with_late_fault_refuses_after_batches() -> None:
    reading = reading_of(read_batches, io.BytesIO(FILE + b'Nice;"Ed;09;web\n'), of_rows(2))
    assert len(reading.batches) == 2
    assert reading.refusal is not None
    assert reading.refusal[0] is FailureCode.INVALID_CSV
    assert reading.refusal[1].startswith("Row 7: a quote")


def test_read_batches_reads_no_more_than_a_batch_needs() -> None:
    source = SourceThatNeverEnds(b"Ana,06,web\n", head=b"name,phone,source\n")
    _, batches = read_batches(source, of_rows(1000))
    before = source.bytes_read
    next(batches)
    # A thousand rows are in the block that the header came with.
    assert source.bytes_read == before
    batches.close()


def test_batch_weight_is_that_of_rows_and_report_lines() -> None:
    rows = f"Ana,0612345678,web,{'x' * 5000}\n" * 10
    _, (batch,) = read_batches(io.BytesIO(f"name,phone,source,notes\n{rows}".encode()), of_rows(10))
    assert batch.weight // 10_000 == (len(batch.block) + len(batch.packed_lines)) // 10_000 == 10


def test_read_batches_of_slow_source_returns_the_same() -> None:
    whole = reading_of(read_batches, io.BytesIO(FILE), of_rows(2))
    assert reading_of(read_batches, SourceThatDribbles(FILE, [1, 2, 3]), of_rows(2)) == whole
