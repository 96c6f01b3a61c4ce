"""Read a CSV file as chunks of checked rows, streaming.

Row numbers are a spreadsheet's: the first record is row 1, and a quoted line break starts no row. A record
whose cells are all empty has a number but is not counted.

The fast pass checks a whole chunk without a Python loop. The slow pass checks, one by one, the rows that the
fast pass does not accept: faulty, guarded or ragged ones.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter
from typing import Final

from leads.domain.failure_code import FailureCode
from leads.domain.lead import FIELDS, LeadCells
from leads.domain.lead_rules import LeadChecker, row_errors
from leads.domain.row_error import RowError
from leads.errors import InvalidFile
from leads.formats.compression import decompress
from leads.formats.decoding import ByteSource, decode
from leads.formats.dialect import HEADER_LINES, find_dialect, is_blank
from leads.formats.formula_guard import unguard
from leads.formats.header import Columns, map_columns
from leads.formats.lines import LINE_LIMIT, Lines, TooMuchText
from leads.formats.report import ReportFormat

CHUNK_ROWS: Final = 1_000
"""Records of a chunk. With fewer, the fixed costs of a chunk show. With 5,000, its cells no longer fit the
cache of a core, which takes a tenth longer.
"""

CHUNK_CHARACTERS: Final = 512 * 1024
"""Characters after which a chunk ends, even with fewer than CHUNK_ROWS: long notes must not fill memory."""

ROW_LIMIT: Final = 4 * LINE_LIMIT
"""Characters of a row of several lines, to a line and a chunk. Line breaks in quoted cells let a row grow
beyond LINE_LIMIT.
"""

_END: Final = "end-of-file"
_END_LINE: Final = f'"{_END}"'
"""A last line, quoted: an unclosed quote swallows it with its last `"`, so that no other record equals it."""

_REFUSED: Final = "\0"
"""A cell that the fast pass refuses, and so leaves to the slow pass: a NUL is never valid."""

_REFUSED_RECORD: Final = [_REFUSED]
"""A record of such cells."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of a file and their leads."""

    first_row: int
    records: list[list[str]]
    """The cells as they are in the file."""
    leads: list[LeadCells | None]
    """The lead of each record; None for a faulty or a blank one."""
    errors: list[RowError]
    """Every fault: a row may have several."""
    faulty: list[int]
    """The indices of the faulty records."""

    @property
    def lead_count(self) -> int:
        """Count the valid rows."""
        return len(self.leads) - self.leads.count(None)


class LeadReader:
    """Read the leads of one file."""

    def __init__(self, source: ByteSource, *, chunk_rows: int = CHUNK_ROWS) -> None:
        """Read the header. Raises InvalidFile when it, or the file, cannot be used."""
        self._lines = Lines(decode(decompress(source)))
        dialect = find_dialect(iter(self._lines))
        self._chunk_rows = chunk_rows
        self._row = 0
        self._ended = False
        self._records = csv.reader(
            chain(dialect.lines, self._end_line()),
            delimiter=dialect.delimiter,
            skipinitialspace=dialect.space_after_delimiter,
        )
        self._columns = self._read_header()
        self.report_format: Final = ReportFormat.of(dialect, self._columns)
        """The format of the report of this file."""
        self.fields: Final = tuple(
            field for field, indices in zip(FIELDS, self._columns.fields, strict=True) if indices
        )
        """The fields that the file has, in the order of the cells of a lead."""
        self._indices = [indices for indices in self._columns.fields if indices]
        # In nearly every file each field is one column.
        self._pick = (
            itemgetter(*(index for (index,) in self._indices)) if max(map(len, self._indices)) == 1 else None
        )
        self._checker = LeadChecker(self.fields)

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Return the headers of the columns that are no field of a lead."""
        return self._columns.ignored

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows in file order.

        Raises:
            InvalidFile: The rest of the file cannot be read.
        """
        while records := self._read_records(self._chunk_rows):
            chunk = Chunk(self._row - len(records) + 1, records, self._check_fast(records), [], [])
            for index in [index for index, lead in enumerate(chunk.leads) if lead is None]:
                self._check_slowly(index, chunk)
            yield chunk
            # Rows may be long, so free these before the next ones are read.
            del chunk, records

    def _end_line(self) -> Iterator[str]:
        """Yield a line behind the last one: an unclosed quote swallows it, and so is found."""
        self._ended = True
        yield _END_LINE

    def _read_header(self) -> Columns:
        while records := self._read_records(1):
            if not is_blank(records[0]):
                return map_columns(records[0])
            # Without this limit 2 GiB of blank lines take an hour, in which no deadline is checked.
            if self._row == HEADER_LINES:
                raise InvalidFile(
                    FailureCode.EMPTY_FILE,
                    f"The file's first {HEADER_LINES} rows are empty: its first line must name the columns.",
                )
        raise InvalidFile(
            FailureCode.EMPTY_FILE, "The file holds no data: its first line must name the columns."
        )

    def _read_records(self, count: int) -> list[list[str]]:
        """Return the next records, at most `count`, fewer if they are long; none at the end."""
        records: list[list[str]] = []
        lines = self._lines
        enough = lines.characters + CHUNK_CHARACTERS
        try:
            # The records that stand before a long row in its chunk have at most CHUNK_CHARACTERS.
            lines.limit = enough + ROW_LIMIT
            for record in islice(self._records, count):
                records.append(record)
                if lines.characters >= enough:
                    break
        except TooMuchText as error:
            raise InvalidFile(
                FailureCode.INVALID_CSV,
                f"Row {self._row + len(records) + 1} is longer than about {ROW_LIMIT:,} characters. "
                'Perhaps a quote (") opens in this row and is never closed.',
            ) from error
        except csv.Error as error:
            # The only fault that csv can find in these lines is a cell over its limit.
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

    def _check_fast(self, records: list[list[str]]) -> list[LeadCells | None]:
        """Return the cells of each certainly valid record, and None for each other one."""
        column = self._column_of(records)
        fields = [
            map(str.strip, column(indices[0]))
            if len(indices) == 1
            else map(_join, *(column(index) for index in indices))
            for indices in self._indices
        ]
        return self._checker.check(list(zip(*fields, strict=True)))

    def _column_of(self, records: list[list[str]]) -> Callable[[int], Sequence[str]]:
        """Return a function that returns the cells of one column."""
        width = self._columns.width
        if set(map(len, records)) == {width}:
            return list(zip(*records, strict=True)).__getitem__
        # Short records are not padded: a hostile header has thousands of columns. A record with filled cells
        # beyond the header is left to the slow pass.
        fitting = [_REFUSED_RECORD if any(record[width:]) else record for record in records]
        return lambda index: [
            record[index] if index < len(record) else _REFUSED if record is _REFUSED_RECORD else ""
            for record in fitting
        ]

    def _check_slowly(self, index: int, chunk: Chunk) -> None:
        """Add to the chunk the lead of one record, or its faults, or nothing for a blank one."""
        record = list(map(str.strip, chunk.records[index]))
        filled = len(record)
        while filled and not record[filled - 1]:
            filled -= 1
        if not filled:
            return
        cells = self._cells(record)
        row = chunk.first_row + index
        errors = row_errors(row, self.fields, cells)
        if filled > self._columns.width:
            message = f"Row has {filled} cells, the header has {self._columns.width}"
            errors.append(RowError(row, None, message))
        if errors:
            chunk.errors.extend(errors)
            chunk.faulty.append(index)
        else:
            source = self.fields.index("source")
            cells[source] = cells[source].lower()
            chunk.leads[index] = tuple(cells)

    def _cells(self, record: list[str]) -> list[str]:
        """Return the cells of the fields of a trimmed record."""
        if self._pick is not None and len(record) >= self._columns.width:
            picked: tuple[str, ...] = self._pick(record)
            # Only a cell that starts with ' may be guarded: this tests all cells at once.
            if "'" not in "".join(picked):
                return list(picked)
        return [_cell(record, indices) for indices in self._indices]


def _join(*parts: str) -> str:
    """Join first and last name, or refuse one that may be guarded to the fast pass."""
    name = " ".join(filter(None, map(str.strip, parts)))
    return _REFUSED if "'" in name else name


def _cell(record: Sequence[str], indices: tuple[int, ...]) -> str:
    """Return the text of a field in a trimmed record.

    Trimming comes first: white space that the guard protected is part of the value.
    """
    if len(indices) == 1:
        return unguard(record[indices[0]]) if indices[0] < len(record) else ""
    parts = [unguard(record[index]) for index in indices if index < len(record)]
    return " ".join(part for part in parts if part)
