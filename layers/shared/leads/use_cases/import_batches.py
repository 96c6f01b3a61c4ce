"""A file as what process_import needs of it: its layout, then batch after batch of rows ready for COPY.

It loads no database driver and no AWS library: import_batches_apart.py runs it in a process of its own.
"""

import marshal
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple, cast

from leads.csv_format.reader import Chunk, LeadReader
from leads.csv_format.report import ReportFormat
from leads.csv_format.text_lines import ByteSource
from leads.domain.lead import LeadCells
from leads.domain.row_error import RowError
from leads.domain.seen_phones import KnownPhones, SeenPhones, Suspicion
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
    """Valid rows."""
    faulty: int
    block: bytes
    """The valid rows as `copy_text`."""
    errors: list[RowError]
    """Everything that is wrong with the faulty rows, in file order."""
    packed: bytes
    """The records that may have to be reported; `records` unpacks them."""
    suspicion: Suspicion | None = None
    """Which rows may be duplicates, of rows of earlier batches, too; None for all."""

    def records(self, rows: Iterable[int]) -> Iterator[list[str]]:
        """The records of these rows as they were in the file: of faulty ones, and of suspects if rows may be
        skipped.
        """
        # Packed by ourselves, in this run of this interpreter.
        by_row: dict[int, bytes] = marshal.loads(self.packed)  # noqa: S302  # nosec B302
        return (cast("list[str]", marshal.loads(by_row[row])) for row in rows)  # noqa: S302  # nosec B302


def read_batches(
    source: ByteSource, *, chunk_rows: int, may_skip: bool, known: KnownPhones | None = None
) -> Generator[FileLayout | Batch, None, None]:
    """The layout, then the batches. `may_skip` says that valid rows, too, may have to be reported, and
    `known` what SeenPhones begins with, or None to suspect every row.

    Raises InvalidFile where the file turns out to be none that can be read, and what the source raises.
    """
    reader = LeadReader(source, chunk_rows=chunk_rows)
    yield FileLayout(reader.fields, reader.ignored_columns, reader.report_format)
    seen = SeenPhones(known) if known is not None else None
    phone = reader.fields.index("phone")
    for chunk in reader.chunks():
        found = None if seen is None else _suspicion(seen, chunk, phone)
        yield Batch(
            last_row=chunk.first_row + len(chunk.records) - 1,
            leads=chunk.lead_count,
            faulty=len(chunk.faulty),
            block=copy_text(chunk.leads, chunk.first_row),
            errors=chunk.errors,
            packed=_packed(chunk, may_skip, None if found is None else found.suspects),
            suspicion=found,
        )


def _suspicion(seen: SeenPhones, chunk: Chunk, phone: int) -> Suspicion:
    rows = [row for row, _ in _leads(chunk)]
    return seen.suspect(rows, [lead[phone] for lead in chunk.leads if lead is not None])


def _leads(chunk: Chunk) -> Iterator[tuple[int, LeadCells]]:
    """The valid rows, by their numbers."""
    return ((row, lead) for row, lead in enumerate(chunk.leads, chunk.first_row) if lead is not None)


def _packed(chunk: Chunk, may_skip: bool, suspects: list[int] | None) -> bytes:
    """One by one, so that the few that are reported are unpacked without the many that are not: a cell in
    memory takes several times its text.
    """
    places = chunk.faulty
    if may_skip:
        rows = suspects if suspects is not None else (row for row, _ in _leads(chunk))
        places = [*(row - chunk.first_row for row in rows), *chunk.faulty]
    return marshal.dumps({chunk.first_row + at: marshal.dumps(chunk.records[at]) for at in places})
