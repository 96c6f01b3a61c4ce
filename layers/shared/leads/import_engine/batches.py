"""A file as what process_import needs of it: its layout, then batch after batch of rows ready for COPY.

It loads no database driver and no AWS library: import_batches_child.py runs it in a process of its own.
"""

import marshal
from collections.abc import Collection, Generator, Iterable
from typing import NamedTuple

from leads.domain.duplicate_hints import DuplicateHints
from leads.domain.import_job import REPORTED_FAULTS
from leads.domain.row_error import RowError
from leads.formats.decoding import ByteSource
from leads.formats.reader import Chunk, LeadReader
from leads.formats.report import DUPLICATE_REASON, Outcome, ReportFormat, ReportRow
from leads.import_engine.phone_filter import PhoneFilter, StoredPhones
from leads.postgres.copy_text import copy_text


class FileLayout(NamedTuple):
    """What the header says."""

    fields: tuple[str, ...]
    """The fields that the file has, in the order of a batch's block."""
    ignored_columns: tuple[str, ...]
    report_format: ReportFormat


class Batch(NamedTuple):
    """Some consecutive rows."""

    last_row: int
    leads: int
    """Valid rows, `suspicion.certain_duplicates` among them."""
    faulty: int
    block: bytes
    """The valid rows but for `suspicion.certain_duplicates`, as `copy_text`."""
    errors: list[RowError]
    """What is wrong with the faulty rows, in file order: of the file's first REPORTED_FAULTS faults."""
    error_count: int
    """All faults of the faulty rows, of which there may be several a row."""
    packed: bytes
    """The lines of the report that may be needed; `report_lines` unpacks them."""
    suspicion: DuplicateHints | None = None
    """Which rows are duplicates or may be, of rows of earlier batches, too; None if each may be."""

    def report_lines(self, skipped: Collection[int]) -> bytes:
        """What the report says of the faulty rows and of these duplicates, in file order. There are none
        unless rows may be skipped, and then they repeat a phone or are suspects.
        """
        # Packed by ourselves, in this run of this interpreter.
        packed: list[dict[int, bytes]] = marshal.loads(self.packed)  # noqa: S302  # nosec B302
        faulty, duplicates = packed
        if not skipped:
            return b"".join(faulty.values())
        lines = faulty | {row: duplicates[row] for row in skipped}
        return b"".join(lines[row] for row in sorted(lines))


def read_batches(
    source: ByteSource, *, chunk_rows: int, may_skip: bool, known: StoredPhones | None = None
) -> Generator[FileLayout | Batch, None, None]:
    """The layout, then the batches. `may_skip` says that valid rows, too, may have to be reported, and
    `known` what PhoneFilter begins with then: rows that repeat a phone for sure are left out of the blocks.
    With None every row is a suspect.

    Raises InvalidFile where the file turns out to be none that can be read, and what the source raises.
    """
    reader = LeadReader(source, chunk_rows=chunk_rows)
    yield FileLayout(reader.fields, reader.ignored_columns, reader.report_format)
    seen = PhoneFilter(known) if may_skip and known is not None else None
    phone = reader.fields.index("phone")
    # Of millions of faults no more are kept, so no more go from one process to another.
    left = REPORTED_FAULTS
    for chunk in reader.chunks():
        found = None if seen is None else _suspicion(seen, chunk, phone)
        errors = chunk.errors[:left]
        left -= len(errors)
        repeats = found.certain_duplicates if found is not None else []
        duplicates: Iterable[int] = ()
        if may_skip:
            duplicates = repeats + found.possible_duplicates if found is not None else _rows(chunk)
        staged = list(chunk.leads)
        for row in repeats:
            staged[row - chunk.first_row] = None
        yield Batch(
            last_row=chunk.first_row + len(chunk.records) - 1,
            leads=chunk.lead_count,
            faulty=len(chunk.faulty),
            block=copy_text(staged, chunk.first_row),
            errors=errors,
            error_count=len(chunk.errors),
            packed=_packed(chunk, reader.report_format, duplicates),
            suspicion=found,
        )
        # Rows may be long: none of these stay while the next ones are made.
        del chunk, staged


def _rows(chunk: Chunk) -> list[int]:
    """The numbers of the valid rows."""
    return [row for row, lead in enumerate(chunk.leads, chunk.first_row) if lead is not None]


def _suspicion(seen: PhoneFilter, chunk: Chunk, phone: int) -> DuplicateHints:
    return seen.suspect(_rows(chunk), [lead[phone] for lead in chunk.leads if lead is not None])


def _packed(chunk: Chunk, report: ReportFormat, duplicates: Iterable[int]) -> bytes:
    """The lines of the faulty rows and of those that may be duplicates, each by its row: as bytes, which take
    the least memory, and made here, because who talks to Postgres has no time for it.
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
