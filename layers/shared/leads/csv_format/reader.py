"""A CSV file as chunks of lead rows and row errors, streaming: what the import engine reads.

Row numbers are a spreadsheet's: the first record is row 1, a quoted line break starts no row, and a record
whose cells are all empty has a number but is not counted.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from pydantic import ValidationError

from leads.csv_format.dialect import find_dialect
from leads.csv_format.formula_guard import unguard
from leads.csv_format.header import Columns, map_columns
from leads.csv_format.text_lines import LINE_LIMIT, ByteSource, read_lines
from leads.domain.lead import WHITE_SPACE, LeadRow, lead_rows, row_errors
from leads.domain.row_error import RowError
from leads.errors import FailureCode, InvalidFile

CHUNK_ROWS: Final = 10_000
"""Records handled at once: a chunk's fixed costs vanish, and its rows take a few MB."""

_END: Final = "end-of-file"
_END_LINE: Final = f'"{_END}"'
"""Quoted, so that a quote left open keeps the last `"` in the cell and no such record is taken for ours."""


@dataclass(slots=True)
class Chunk:
    """What some consecutive records of a file hold. Blank ones leave no trace; a faulty row may have several
    errors.
    """

    leads: list[tuple[int, LeadRow]] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    faulty_rows: int = 0

    @property
    def rows(self) -> int:
        return len(self.leads) + self.faulty_rows


class LeadReader:
    """Reads one file. The header is read at once: raises InvalidFile when it, or the file, cannot be used."""

    def __init__(self, source: ByteSource, *, chunk_rows: int = CHUNK_ROWS) -> None:
        dialect = find_dialect(read_lines(source))
        self._chunk_rows = chunk_rows
        self._row = 0
        self._ended = False
        self._records = csv.reader(chain(dialect.lines, self._end()), delimiter=dialect.delimiter)
        self.columns = self._read_header()

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Headers of the columns that are no field of a lead."""
        return self.columns.ignored

    def chunks(self) -> Iterator[Chunk]:
        """The rows in file order. Raises InvalidFile where the file turns out to be none that can be read."""
        while records := self._take(self._chunk_rows):
            first = self._row - len(records) + 1
            chunk = Chunk()
            for row, record in enumerate(records, start=first):
                if any(cell.strip(WHITE_SPACE) for cell in record):
                    _read_row(row, record, self.columns, chunk)
            yield chunk

    def _end(self) -> Iterator[str]:
        """A last record of our own: a quote left open swallows it, and so is found."""
        self._ended = True
        yield _END_LINE

    def _read_header(self) -> Columns:
        while records := self._take(1):
            if any(cell.strip() for cell in records[0]):
                return map_columns(records[0])
        raise InvalidFile(
            FailureCode.EMPTY_FILE, "The file holds no data: its first line must name the columns."
        )

    def _take(self, count: int) -> list[list[str]]:
        """The next records, at most `count`; fewer, or none, at the end."""
        records: list[list[str]] = []
        try:
            records.extend(islice(self._records, count))
        except csv.Error as error:
            # The only fault that csv finds in what we let through is a cell over its limit.
            raise InvalidFile(
                FailureCode.INVALID_CSV,
                f"Row {self._row + len(records) + 1}: a cell is longer than {LINE_LIMIT:,} characters. "
                'Perhaps a quote (") opens in this row and is never closed.',
            ) from error
        if self._ended and records and records.pop() != [_END]:
            raise InvalidFile(
                FailureCode.INVALID_CSV,
                f'Row {self._row + len(records) + 1}: a quote (") opens in this row and is never closed. '
                "Close it, or double it inside a quoted cell.",
            )
        self._row += len(records)
        return records


def _read_row(row: int, record: list[str], columns: Columns, chunk: Chunk) -> None:
    extra = any(cell.strip(WHITE_SPACE) for cell in record[columns.width :])
    cells = tuple(_cell(record, places) for places in columns.fields)
    if not extra:
        try:
            chunk.leads.append((row, lead_rows.validate_python(cells)))
            return
        except ValidationError:
            pass  # row_errors says it in words
    errors = row_errors(row, cells)
    if extra:
        count = max(index for index, cell in enumerate(record, start=1) if cell.strip(WHITE_SPACE))
        errors.append(RowError(row, None, f"Row has {count} cells, the header has {columns.width}"))
    chunk.errors.extend(errors)
    chunk.faulty_rows += 1


def _cell(record: list[str], places: tuple[int, ...]) -> str:
    """A field's text: trimmed first, so that what the guard kept safe stays as it was."""
    parts = [unguard(record[place].strip(WHITE_SPACE)) for place in places if place < len(record)]
    return " ".join(part for part in parts if part)
