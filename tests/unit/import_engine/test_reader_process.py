"""Check that the reader process returns the same batches and refusals, and raises the source's errors."""

import gzip
import io
import threading
from contextlib import closing

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leads.domain.failure_code import FailureCode
from leads.errors import ServiceFault
from leads.import_engine.batches import ReadTask, read_batches
from tests.unit.fakes import SourceThatBreaksOff, SourceThatDribbles, SourceThatNeverEnds, SourceThatStalls
from tests.unit.import_engine.reading import SKIP, Read, read_batches_apart, reading_of

HEADER = b"name,phone,source\n"
ROW = b"Ana Ruiz,0612345678,web\n"

# Leads, faulty rows, ragged and blank ones; cells that COPY, CSV and the formula guard check.
cells = st.sampled_from(["Ana", "06", "web", "", "x\ty", "\\N", "a\nb", "é", "'=1", "\x00", "x" * 300])
rows = st.lists(cells, max_size=5) | st.builds(lambda name, phone: [name, phone, "web"], cells, cells)
tables = st.lists(rows, max_size=40)
endings = st.sampled_from([b"", b'Bo,"07,web\n', b"\xff\xfe\n", b"Bo,07,web"])
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])
tasks = st.builds(lambda rows, may_skip: ReadTask(rows, may_skip), st.integers(1, 50), st.booleans())


# Each example starts a process, which takes 0.1 s.
@settings(max_examples=12)
@given(tables, endings, encodings, st.booleans(), tasks)
@example([], b"", "utf-8", False, ReadTask(1, True))
@example([["Ana", "06", "web"]] * 5000, b"", "utf-8", True, ReadTask(700, False))
def test_reader_process_returns_batches_and_refusals_of_reader(
    table: list[list[str]], ending: bytes, encoding: str, packed: bool, task: ReadTask
) -> None:
    text = "".join(",".join(f'"{cell}"' for cell in record) + "\n" for record in table)
    file = f"name,phone,source\n{text}".encode(encoding) + ending
    file = gzip.compress(file) if packed else file
    here, apart = (
        reading_of(read, SourceThatDribbles(file, [1000, 7]), task)
        for read in (read_batches, read_batches_apart)
    )
    assert apart == here


def test_reader_process_reads_file_larger_than_the_pipes() -> None:
    file = HEADER + ROW * 60_000
    reading = reading_of(read_batches_apart, SourceThatDribbles(file, [300_000]))
    assert sum(len(batch.block) for batch, _ in reading.batches) > 1_500_000
    assert len(reading.batches) == 60


def test_reader_process_returns_batch_larger_than_the_pipes() -> None:
    file = HEADER + ROW * 60_000
    _, items = read_batches_apart(io.BytesIO(file), ReadTask(60_000, may_skip=True))
    with closing(items):
        batches = list(items)
    assert sum(batch.leads for batch in batches) == 60_000
    assert batches[0].weight > 1_500_000


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"", FailureCode.EMPTY_FILE, "The file is empty. Send a CSV file with a header line."),
        (b"\x1f\x8b\x08", FailureCode.INVALID_GZIP, "The compressed file is damaged or incomplete. "),
        (b"name,phone\n", FailureCode.INVALID_HEADER, "Missing required column: source. "),
    ],
    ids=["an empty file", "damaged gzip", "a missing column"],
)
def test_reader_process_with_unusable_file_refuses_with_code(
    content: bytes, code: FailureCode, message: str
) -> None:
    reading = reading_of(read_batches_apart, SourceThatDribbles(content))
    assert (reading.layouts, reading.batches) == ([], [])
    assert reading.refusal is not None
    assert reading.refusal[0] is code
    assert reading.refusal[1].startswith(message)


def test_refusal_does_not_wait_for_the_rest_of_the_file() -> None:
    source = SourceThatNeverEnds(ROW, head=b"name,phone\n")
    reading = reading_of(read_batches_apart, source)
    assert reading.refusal is not None
    assert source.bytes_read < 16 * 1024**2


CUT_OFF = {
    "before the first byte": b"",
    "in the header": HEADER[:7],
    "after a whole row": HEADER + ROW,
    "within a row": HEADER + ROW + ROW[:-2],
    "within a quote": HEADER + ROW + b'"Bo',
    "within a character": HEADER + ROW + "é".encode()[:1],
    "within gzip": gzip.compress(HEADER + ROW)[:-3],
    "after more than the pipes hold": HEADER + ROW * 60_000,
}


@pytest.mark.parametrize("read", [read_batches, read_batches_apart], ids=["this process", "reader process"])
@pytest.mark.parametrize("content", CUT_OFF.values(), ids=CUT_OFF)
def test_source_that_breaks_off_raises_its_own_error(content: bytes, read: Read) -> None:
    """A file that breaks off is never imported as a shorter one, nor refused as invalid."""
    error = ServiceFault("S3 broke off while giving an object")
    with pytest.raises(ServiceFault) as caught:
        reading_of(read, SourceThatBreaksOff(content, error))
    assert caught.value is error


@pytest.mark.parametrize("kind", [ConnectionResetError, BrokenPipeError, ValueError, MemoryError])
def test_error_of_the_source_is_raised(kind: type[Exception]) -> None:
    error = kind("0612345678")
    with pytest.raises(kind) as caught:
        reading_of(read_batches_apart, SourceThatBreaksOff(HEADER + ROW, error))
    assert caught.value is error


def test_source_that_stalls_is_read_to_its_end() -> None:
    content, rest = HEADER + ROW * 20_000, ROW * 10
    source = SourceThatStalls(content, rest)
    later = threading.Timer(0.3, source.go_on.set)
    later.start()
    apart = reading_of(read_batches_apart, source)
    later.join()
    assert apart == reading_of(read_batches, SourceThatDribbles(content + rest, [300_000]))


def test_batches_before_a_stall_are_returned_during_it() -> None:
    source = SourceThatStalls(HEADER + ROW * 20_000, ROW)
    _, items = read_batches_apart(source, SKIP)
    with closing(items):
        assert next(items).leads == 1000
        assert not source.go_on.is_set()
        source.go_on.set()
