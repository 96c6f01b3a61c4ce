"""What reading a file in batches came to, so that two ways of reading can be compared."""

from collections.abc import Generator
from contextlib import closing
from typing import NamedTuple, Protocol

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats.decoding import ByteSource
from leads.import_engine.batches import Batch, FileLayout
from leads.import_engine.reader_process import ReaderProcess


class Read(Protocol):
    """`read_batches`, or what stands for it."""

    def __call__(
        self, source: ByteSource, *, chunk_rows: int, may_skip: bool
    ) -> Generator[FileLayout | Batch, None, None]: ...


def read_batches_apart(
    source: ByteSource, *, chunk_rows: int, may_skip: bool
) -> Generator[FileLayout | Batch, None, None]:
    """`read_batches` in another process, which begins when the first item is asked for."""
    with ReaderProcess() as process:
        yield from process.read_batches(source, chunk_rows=chunk_rows, may_skip=may_skip)


class Reading(NamedTuple):
    """All that came of a file, and with what it was refused."""

    layouts: list[FileLayout]
    batches: list[tuple[Batch, bytes]]
    """Each with the lines of all its rows that may be reported, instead of how it packs them."""
    refusal: tuple[FailureCode, str] | None


def leads_of(batch: Batch) -> list[int]:
    """The rows of a batch that are leads."""
    return [int(line.split(b"\t")[0]) for line in batch.block.splitlines()]


def reading_of(read: Read, source: ByteSource, *, chunk_rows: int = 1000, may_skip: bool = True) -> Reading:
    layouts = []
    batches = []
    refusal = None
    with closing(read(source, chunk_rows=chunk_rows, may_skip=may_skip)) as items:
        try:
            for item in items:
                if isinstance(item, Batch):
                    lines = item.report_lines(leads_of(item) if may_skip else [])
                    batches.append((item._replace(packed=b""), lines))
                else:
                    assert not batches, "the layout comes first"
                    layouts.append(item)
        except InvalidFile as error:
            refusal = (error.code, str(error))
    return Reading(layouts, batches, refusal)
