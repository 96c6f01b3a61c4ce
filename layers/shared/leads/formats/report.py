"""The report of a job: the rows of its file that were not imported, and why, to be corrected and sent
again.

`row`, `outcome` and `reason`, then the columns and cells of the file, trimmed, and guarded like an export's.
It looks as its file does, so that the program that wrote the one opens the other: the file's delimiter, and a
byte order mark when the file has one or is not cut by commas, which is how Excel writes.
"""

import csv
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple

from leads.formats.dialect import BYTE_ORDER_MARK, DELIMITERS, Dialect
from leads.formats.formula_guard import guard, guarded_again, may_change
from leads.formats.header import REPORT_COLUMNS, Columns


class Outcome(StrEnum):
    """Why a row was not imported."""

    ERROR = "error"
    DUPLICATE = "duplicate"


DUPLICATE_REASON: Final = "Phone belongs to an active lead or to an earlier row"


_LINE_END: Final = "\r\n"

_QUOTED: Final = '"\r\n'
"""What csv quotes a cell for, beside its delimiter."""


class ReportRow(NamedTuple):
    """One row that was not imported, with its record as it was in the file."""

    row: int
    outcome: Outcome
    reason: str
    record: list[str]


class _Lines:
    """What csv.writer writes to: it gives `write` a row at a time."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.write = self.taken.append


class ReportFormat(NamedTuple):
    """How a file's report is written."""

    names: tuple[str, ...]
    delimiter: str
    has_bom: bool
    left_out: int
    """Columns of an earlier report of ours with which the file begins; the new ones take their place."""

    @classmethod
    def of(cls, dialect: Dialect, columns: Columns) -> "ReportFormat":
        """The format that fits a file."""
        # Another delimiter is known from a line sep=, which a report does not have.
        delimiter = dialect.delimiter if dialect.delimiter in DELIMITERS else ","
        marked = dialect.has_bom or delimiter != ","
        return cls(columns.names[columns.report_columns :], delimiter, marked, columns.report_columns)

    def header(self) -> bytes:
        """The first line, with the mark."""
        (line,) = self._written([[*REPORT_COLUMNS, *map(guard, self.names)]])
        return (BYTE_ORDER_MARK if self.has_bom else "").encode() + line

    def lines(self, rows: Sequence[ReportRow]) -> list[bytes]:
        """A line for each row.

        An import reads in a cell what it read before: one that is already guarded, or would be but for the
        white space before it, gets no other `'`.
        """
        records = [list(map(str.strip, row.record[self.left_out :])) for row in rows]
        joined = "\0".join(("", *chain.from_iterable(records), ""))
        if may_change(joined, sum(map(len, records))):
            records = guarded_again(records)
        lines = self._plain(rows, records)
        if any(mark in joined for mark in (self.delimiter, *_QUOTED)):
            at = self._to_be_quoted(records)
            quoted = self._written(
                [rows[one].row, rows[one].outcome, guard(rows[one].reason), *records[one]] for one in at
            )
            for one, line in zip(at, quoted, strict=True):
                lines[one] = line
        return lines

    def _plain(self, rows: Sequence[ReportRow], records: Iterable[list[str]]) -> list[bytes]:
        """The lines of rows none of whose cells must be quoted, for a third of what csv takes."""
        said = {
            (outcome, reason): self._written([[outcome, guard(reason)]])[0].decode().removesuffix(_LINE_END)
            for outcome, reason in {(row.outcome, row.reason) for row in rows}
        }
        mark = self.delimiter
        return [
            (mark.join((str(row.row), said[row.outcome, row.reason], *record)) + _LINE_END).encode()
            for row, record in zip(rows, records, strict=True)
        ]

    def _to_be_quoted(self, records: Iterable[list[str]]) -> list[int]:
        """Where the records are that have a cell which csv quotes."""
        mark = self.delimiter
        texts = ((mark.join(record), len(record)) for record in records)
        # Without a call or a loop for each row: nearly every chunk of people's notes has some of these.
        return [
            at
            for at, (text, cells) in enumerate(texts)
            if text.count(mark) >= max(1, cells) or '"' in text or "\n" in text or "\r" in text
        ]

    def _written(self, rows: Iterable[list[str | int]]) -> list[bytes]:
        lines = _Lines()
        csv.writer(lines, delimiter=self.delimiter, lineterminator=_LINE_END).writerows(rows)
        return [line.encode() for line in lines.taken]
