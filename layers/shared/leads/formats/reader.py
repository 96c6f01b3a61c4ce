"""A CSV file as chunks of checked rows, streaming: what the import engine reads.

Row numbers are a spreadsheet's: the first record is row 1, a quoted line break starts no row, and a record
whose cells are all empty has a number but is not counted.

Each chunk is checked column by column and row by row without a Python loop; only the rows that this fast pass
does not take, such as faulty, guarded or ragged ones, are then looked at one by one.
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
"""Records handled at once: a chunk's fixed costs vanish, and its cells still fit a core's cache, which is a
tenth faster than chunks of 5,000.
"""

CHUNK_CHARACTERS: Final = 512 * 1024
"""After which a chunk ends before it has CHUNK_ROWS: notes may be as long as they like."""

ROW_LIMIT: Final = 4 * LINE_LIMIT
"""Characters of a row, to a line and a chunk. A row of one line has fewer anyway: this is for line breaks in
many cells.
"""

_END: Final = "end-of-file"
_END_LINE: Final = f'"{_END}"'
"""Quoted, so that a quote left open keeps the last `"` in the cell and no such record is taken for ours."""

_REFUSED: Final = "\0"
"""Stands for a cell that the fast pass must not take: no cell with a NUL is a valid one."""

_REFUSED_RECORD: Final = [_REFUSED]
"""Stands for a whole record of such cells."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some consecutive records of a file, as they were, and what each is: a lead's cells, or None when it is
    faulty or blank. A faulty row may have several errors.
    """

    first_row: int
    records: list[list[str]]
    leads: list[LeadCells | None]
    errors: list[RowError]
    faulty: list[int]

    @property
    def lead_count(self) -> int:
        return len(self.leads) - self.leads.count(None)


class LeadReader:
    """Reads one file. The header is read at once: raises InvalidFile when it, or the file, cannot be used."""

    def __init__(self, source: ByteSource, *, chunk_rows: int = CHUNK_ROWS) -> None:
        self._lines = Lines(decode(decompress(source)))
        dialect = find_dialect(iter(self._lines))
        self._chunk_rows = chunk_rows
        self._row = 0
        self._ended = False
        self._records = csv.reader(
            chain(dialect.lines, self._end()),
            delimiter=dialect.delimiter,
            skipinitialspace=dialect.space_after_delimiter,
        )
        self._columns = self._read_header()
        self.report_format: Final = ReportFormat.of(dialect, self._columns)
        """How the rows of this file that are not imported are reported."""
        self.fields: Final = tuple(
            field for field, places in zip(FIELDS, self._columns.fields, strict=True) if places
        )
        """The fields that the file has, in the order of its leads' cells."""
        self._places = [places for places in self._columns.fields if places]
        # Nearly always each field is one column.
        self._pick = (
            itemgetter(*(place for (place,) in self._places)) if max(map(len, self._places)) == 1 else None
        )
        self._checker = LeadChecker(self.fields)

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Headers of the columns that are no field of a lead."""
        return self._columns.ignored

    def chunks(self) -> Iterator[Chunk]:
        """The rows in file order. Raises InvalidFile where the file turns out to be none that can be read."""
        while records := self._take(self._chunk_rows):
            chunk = Chunk(self._row - len(records) + 1, records, self._checked(records), [], [])
            for at in [at for at, lead in enumerate(chunk.leads) if lead is None]:
                self._look_at(at, chunk)
            yield chunk
            # Rows may be long: none of these stay while the next ones are made.
            del chunk, records

    def _end(self) -> Iterator[str]:
        """A last record of our own: a quote left open swallows it, and so is found."""
        self._ended = True
        yield _END_LINE

    def _read_header(self) -> Columns:
        while records := self._take(1):
            if not is_blank(records[0]):
                return map_columns(records[0])
            # Nobody looks at the time yet, and two gibibytes of blank lines take an hour.
            if self._row == HEADER_LINES:
                raise InvalidFile(
                    FailureCode.EMPTY_FILE,
                    f"The file's first {HEADER_LINES} rows are empty: its first line must name the columns.",
                )
        raise InvalidFile(
            FailureCode.EMPTY_FILE, "The file holds no data: its first line must name the columns."
        )

    def _take(self, count: int) -> list[list[str]]:
        """The next records, at most `count`, fewer when they are long; none at the end."""
        records: list[list[str]] = []
        lines = self._lines
        enough = lines.characters + CHUNK_CHARACTERS
        try:
            # The records before a row are no more than a chunk may have.
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

    def _checked(self, records: list[list[str]]) -> list[LeadCells | None]:
        """The fast pass: the cells of each record that is surely a valid lead, else None."""
        column = self._column_of(records)
        fields = [
            map(str.strip, column(places[0]))
            if len(places) == 1
            else map(_joined, *(column(place) for place in places))
            for places in self._places
        ]
        return self._checker.check(list(zip(*fields, strict=True)))

    def _column_of(self, records: list[list[str]]) -> Callable[[int], Sequence[str]]:
        """What gives the cells of one column."""
        width = self._columns.width
        if set(map(len, records)) == {width}:
            return list(zip(*records, strict=True)).__getitem__
        # Not made as wide as the header, which has thousands of columns when somebody means harm. A record
        # with filled cells beyond it is not for the fast pass.
        fitting = [_REFUSED_RECORD if any(record[width:]) else record for record in records]
        return lambda place: [
            record[place] if place < len(record) else _REFUSED if record is _REFUSED_RECORD else ""
            for record in fitting
        ]

    def _look_at(self, at: int, chunk: Chunk) -> None:
        """The slow pass over one record: a lead after all, blank, or faulty, and then what is wrong with
        it.
        """
        record = list(map(str.strip, chunk.records[at]))
        filled = len(record)
        while filled and not record[filled - 1]:
            filled -= 1
        if not filled:
            return
        cells = self._cells(record)
        row = chunk.first_row + at
        errors = row_errors(row, self.fields, cells)
        if filled > self._columns.width:
            message = f"Row has {filled} cells, the header has {self._columns.width}"
            errors.append(RowError(row, None, message))
        if errors:
            chunk.errors.extend(errors)
            chunk.faulty.append(at)
        else:
            source = self.fields.index("source")
            cells[source] = cells[source].lower()
            chunk.leads[at] = tuple(cells)

    def _cells(self, record: list[str]) -> list[str]:
        """The fields of a trimmed record."""
        if self._pick is not None and len(record) >= self._columns.width:
            picked: tuple[str, ...] = self._pick(record)
            # Only what begins with ' may be guarded: this asks it of all cells at once.
            if "'" not in "".join(picked):
                return list(picked)
        return [_cell(record, places) for places in self._places]


def _joined(*parts: str) -> str:
    """First and last name; one that may be guarded is not for the fast pass."""
    name = " ".join(filter(None, map(str.strip, parts)))
    return _REFUSED if "'" in name else name


def _cell(record: Sequence[str], places: tuple[int, ...]) -> str:
    """A field's text of a trimmed record. Trimmed first, so that what the guard kept safe stays as it was."""
    if len(places) == 1:
        return unguard(record[places[0]]) if places[0] < len(record) else ""
    parts = [unguard(record[place]) for place in places if place < len(record)]
    return " ".join(part for part in parts if part)
