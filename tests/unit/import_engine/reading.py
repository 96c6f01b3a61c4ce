"""Compare two ways to read a file in batches: in this process and in another."""

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple, Protocol

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats.decoding import ByteSource
from leads.import_engine.batches import Batch, Batches, FileLayout, ReadTask
from leads.import_engine.reader_process import ReaderProcess

SKIP = ReadTask(chunk_rows=1000, may_skip=True)


class Read(Protocol):
    """Describe the call of `read_batches` and of its substitutes."""

    def __call__(self, source: ByteSource, task: ReadTask) -> tuple[FileLayout, Batches]: ...


class _OwnProcess:
    """Iterate over batches, and end their process when they are closed."""

    def __init__(self, process: ReaderProcess, batches: Batches) -> None:
        self._process = process
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        return next(self._batches)

    def close(self) -> None:
        self._batches.close()
        self._process.__exit__()


def read_batches_apart(source: ByteSource, task: ReadTask) -> tuple[FileLayout, Batches]:
    """Do the same as `read_batches`, in a process of its own."""
    process = ReaderProcess()
    try:
        layout, batches = process.read_batches(source, task)
    except BaseException:
        process.__exit__()
        raise
    return layout, _OwnProcess(process, batches)


class Reading(NamedTuple):
    """Hold the layouts, the batches and the refusal of a file."""

    layouts: list[FileLayout]
    batches: list[tuple[Batch, bytes]]
    """Each batch has the report lines of all its rows in plain text, not packed."""
    refusal: tuple[FailureCode, str] | None


def leads_of(batch: Batch) -> list[int]:
    """Return the rows of a batch that are leads."""
    return [int(line.split(b"\t")[0]) for line in batch.block.splitlines()]


def reading_of(read: Read, source: ByteSource, task: ReadTask = SKIP) -> Reading:
    """Read a file to its end."""
    layouts = []
    batches = []
    refusal = None
    try:
        layout, items = read(source, task)
        layouts.append(layout)
        with closing(items):
            for batch in items:
                lines = batch.report_lines(leads_of(batch) if task.may_skip else [])
                batches.append((batch._replace(packed_lines=b""), lines))
    except InvalidFile as error:
        refusal = (error.code, str(error))
    return Reading(layouts, batches, refusal)
