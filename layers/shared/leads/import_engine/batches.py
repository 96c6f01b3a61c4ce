"""Read a file as its layout and batches of rows that are ready for COPY.

No database driver and no AWS library is loaded here: reader_worker.py runs this in a process of its own.
"""

import marshal
from collections.abc import Collection, Generator, Iterable, Iterator
from typing import NamedTuple, Protocol

from leads.domain.duplicate_hints import DuplicateHints
from leads.domain.import_job import REPORTED_FAULTS
from leads.domain.row_error import RowError
from leads.formats.decoding import ByteSource
from leads.formats.reader import Chunk, LeadReader
from leads.formats.report import DUPLICATE_REASON, Outcome, ReportFormat, ReportRow
from leads.import_engine.phone_filter import PhoneFilter, StoredPhones
from leads.postgres.copy_text import copy_text


class ReadTask(NamedTuple):
    """The way to read a file."""

    chunk_rows: int
    may_skip: bool
    """Valid rows may be skipped as duplicates, so the report may need their lines."""
    stored_phones: StoredPhones | None = None
    """The phones that the phone filter starts with. Without them every row may be a duplicate."""


class FileLayout(NamedTuple):
    """The facts of a file's header."""

    fields: tuple[str, ...]
    """The fields that the file has, in the order of a batch's block."""
    ignored_columns: tuple[str, ...]
    report_format: ReportFormat


class Batch(NamedTuple):
    """Consecutive rows of a file."""

    last_row: int
    leads: int
    """Number of valid rows."""
    faulty: int
    """Number of faulty rows."""
    block: bytes
    """The valid rows, as `copy_text`."""
    errors: list[RowError]
    """Faults in file order, as far as they are among the file's first REPORTED_FAULTS."""
    error_count: int
    """Number of all faults. A row may have several."""
    packed_lines: bytes
    """The lines of the report that may be needed; `report_lines` unpacks them."""
    hints: DuplicateHints | None = None
    """Rows that may be duplicates. Without hints each row may be."""

    @property
    def weight(self) -> int:
        """Return the bytes that the batch holds."""
        return len(self.block) + len(self.packed_lines)

    def report_lines(self, skipped: Collection[int]) -> bytes:
        """Return the report's lines of the faulty rows and of these duplicates, in file order.

        Only possible duplicates of a task that may skip have lines.
        """
        # Packed by `_pack_lines` in this run of this interpreter.
        packed: list[dict[int, bytes]] = marshal.loads(self.packed_lines)  # noqa: S302
        faulty, duplicates = packed
        if not skipped:
            return b"".join(faulty.values())
        lines = faulty | {row: duplicates[row] for row in skipped}
        return b"".join(lines[row] for row in sorted(lines))


class Batches(Protocol):
    """The batches of one file. Close them, whether or not all were taken."""

    def __iter__(self) -> Iterator[Batch]:
        """Return itself."""
        ...

    def __next__(self) -> Batch:
        """Read the next batch. Raises InvalidFile, and what the source raises."""
        ...

    def close(self) -> None:
        """Stop reading."""
        ...


def read_batches(source: ByteSource, task: ReadTask) -> tuple[FileLayout, Generator[Batch, None, None]]:
    """Read the header and return the layout, and the batches, which are read as they are taken.

    Raises InvalidFile, here or from the batches, if the file cannot be read, and what the source raises.
    """
    reader = LeadReader(source, chunk_rows=task.chunk_rows)
    layout = FileLayout(reader.fields, reader.ignored_columns, reader.report_format)
    return layout, _batches(reader, task)


def _batches(reader: LeadReader, task: ReadTask) -> Generator[Batch, None, None]:
    phone_filter = (
        PhoneFilter(task.stored_phones) if task.may_skip and task.stored_phones is not None else None
    )
    phone = reader.fields.index("phone")
    # A job keeps no more of millions of faults, so no more go from one process to the other.
    remaining_faults = REPORTED_FAULTS
    for chunk in reader.chunks():
        hints = None if phone_filter is None else _hints(phone_filter, chunk, phone)
        errors = chunk.errors[:remaining_faults]
        remaining_faults -= len(errors)
        reportable: Iterable[int] = ()
        if task.may_skip:
            reportable = hints.possible_duplicates if hints is not None else _valid_rows(chunk)
        yield Batch(
            last_row=chunk.first_row + len(chunk.records) - 1,
            leads=chunk.lead_count,
            faulty=len(chunk.faulty),
            block=copy_text(chunk.leads, chunk.first_row),
            errors=errors,
            error_count=len(chunk.errors),
            packed_lines=_pack_lines(chunk, reader.report_format, reportable),
            hints=hints,
        )
        # Rows may be long: free these before the next ones are read.
        del chunk


def _valid_rows(chunk: Chunk) -> list[int]:
    return [row for row, lead in enumerate(chunk.leads, chunk.first_row) if lead is not None]


def _hints(phone_filter: PhoneFilter, chunk: Chunk, phone: int) -> DuplicateHints:
    phones = [lead[phone] for lead in chunk.leads if lead is not None]
    return phone_filter.classify(_valid_rows(chunk), phones)


def _pack_lines(chunk: Chunk, report: ReportFormat, duplicates: Iterable[int]) -> bytes:
    """Make the report's lines of the faulty rows and of these duplicates, each by its row number.

    They are packed as bytes, which take the least memory. They are made in the reader, because the process
    that feeds Postgres has no time for it.
    """
    first, records = chunk.first_row, chunk.records
    reasons: dict[int, str] = {}
    for row, _, message in chunk.errors:
        reasons[row] = f"{reasons[row]}; {message}" if row in reasons else message
    faulty = [ReportRow(row, Outcome.ERROR, reason, records[row - first]) for row, reason in reasons.items()]
    skipped = [
        ReportRow(row, Outcome.DUPLICATE, DUPLICATE_REASON, records[row - first]) for row in duplicates
    ]
    lines = [
        {row.row: line for row, line in zip(rows, report.lines(rows), strict=True)}
        for rows in (faulty, skipped)
    ]
    return marshal.dumps(lines)
