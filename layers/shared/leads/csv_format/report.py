"""The report of a job: the rows of its file that were not imported, and why, to be corrected and sent
again.

`row`, `outcome` and `reason`, then the columns and cells of the file, trimmed, and guarded like an export's.
It looks as its file does, so that the program that wrote the one opens the other: the file's delimiter, and a
byte order mark when the file has one or is not cut by commas, which is how Excel writes.
"""

import csv
import io
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from leads.csv_format.dialect import BYTE_ORDER_MARK, DELIMITERS, Dialect
from leads.csv_format.formula_guard import guard, guard_again
from leads.csv_format.header import REPORT_COLUMNS, Columns


class Outcome(StrEnum):
    """Why a row was not imported."""

    ERROR = "error"
    DUPLICATE = "duplicate"


DUPLICATE_REASON: Final = "Phone belongs to an active lead or to an earlier row"


class ReportRow(NamedTuple):
    """One row that was not imported, with its record as it was in the file."""

    row: int
    outcome: Outcome
    reason: str
    record: list[str]


def _again(cell: str) -> str:
    """A cell of a record so that an import reads in it what it read before: one that is already guarded, or
    would be but for the white space before it, must not get another `'`.
    """
    return guard_again(cell.strip())


class ReportFormat(NamedTuple):
    """How a file's report is written."""

    names: tuple[str, ...]
    delimiter: str
    marked: bool
    left_out: int
    """Columns of an earlier report of ours with which the file begins; the new ones take their place."""

    @classmethod
    def of(cls, dialect: Dialect, columns: Columns) -> "ReportFormat":
        """The format that fits a file."""
        # Another delimiter is known from a line sep=, which a report does not have.
        delimiter = dialect.delimiter if dialect.delimiter in DELIMITERS else ","
        marked = dialect.marked or delimiter != ","
        return cls(columns.names[columns.report_columns :], delimiter, marked, columns.report_columns)

    def header(self) -> bytes:
        """The first line, with the mark."""
        line = self._written([[*REPORT_COLUMNS, *map(guard, self.names)]])
        return (BYTE_ORDER_MARK if self.marked else "").encode() + line

    def lines(self, rows: Iterable[ReportRow]) -> bytes:
        """The lines of some rows."""
        first = self.left_out
        return self._written(
            [row, outcome, guard(reason), *map(_again, record[first:])]
            for row, outcome, reason, record in rows
        )

    def _written(self, rows: Iterable[list[str | int]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.delimiter).writerows(rows)
        return text.getvalue().encode()
