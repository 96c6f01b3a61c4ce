"""The dialect of one file: its delimiter, found before the first row is read and kept to the last.

Policy: a first line `sep=X` (Excel) is obeyed and dropped; else the delimiter is the one of `,` `;` tab and
`|` by which the header line holds the most column names that we know, and of equals the one that cuts it
most. In a report of ours it is the one by which the first three columns are the report's.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats.header import is_report, known_names
from leads.formats.lines import LINE_LIMIT

DELIMITERS: Final = (",", ";", "\t", "|")

_SEP_LINE: Final = re.compile(r"\"?sep=(.)\"?[\r\n]*", re.IGNORECASE | re.DOTALL)
_BLANK: Final = "".join(DELIMITERS) + " \n\r\u00a0"
HEADER_LINES: Final = 100
"""Lines among which the header must be: blank ones before it and line breaks in its quoted cells included."""

_HEADER_CHARACTERS: Final = 1024 * 1024
"""Of these lines, which may be long: what is looked at beyond would be kept until it is read as rows."""

# A quoted cell may hold a line of any length that Lines lets pass; csv's own limit of 131,072 is too
# short.
csv.field_size_limit(LINE_LIMIT)


BYTE_ORDER_MARK: Final = "\ufeff"
"""By its first character Excel knows a file as UTF-8."""


class Dialect(NamedTuple):
    """A file's delimiter, and its lines with a byte order mark and an Excel `sep=` line taken off."""

    delimiter: str
    space_after_delimiter: bool
    """Whether a space stands between a delimiter and a quoted cell, as some programs write all cells."""
    has_bom: bool
    """Whether the file has a byte order mark."""
    lines: Iterator[str]


def find_dialect(lines: Iterator[str]) -> Dialect:
    """Looks at the first lines for the delimiter. Raises InvalidFile for a delimiter that cannot be one."""
    head = _head(lines)
    marked = bool(head) and head[0].startswith(BYTE_ORDER_MARK)
    if marked:
        head[0] = head[0].removeprefix(BYTE_ORDER_MARK)
    if head and (match := _SEP_LINE.fullmatch(head[0])):
        delimiter = match[1]
        if delimiter in '"\r\n\0 ' or delimiter.isalnum():
            raise InvalidFile(
                FailureCode.INVALID_CSV, "The first line's sep= names a character that cannot be a delimiter."
            )
        head = head[1:]
    else:
        delimiter = _delimiter_of(head)
    return Dialect(delimiter, _is_spaced(head, delimiter), marked, chain(head, lines))


def _head(lines: Iterator[str]) -> list[str]:
    head: list[str] = []
    left = _HEADER_CHARACTERS
    for line in islice(lines, HEADER_LINES):
        head.append(line)
        left -= len(line)
        if left <= 0:
            break
    return head


def is_blank(record: Sequence[str]) -> bool:
    """Whether a record before the header says nothing: cut by another delimiter, `;;;` is one cell of it."""
    return not any(cell.strip().strip(_BLANK).strip() for cell in record)


def _delimiter_of(head: Sequence[str]) -> str:
    def fitness(delimiter: str) -> tuple[bool, int, int]:
        header = _first_record(head, delimiter)
        return is_report(header), known_names(header), len(header)

    return max(DELIMITERS, key=fitness)


def _is_spaced(head: Sequence[str], delimiter: str) -> bool:
    others = _first_record(head, delimiter)[1:]
    return bool(others) and all(name.startswith(' "') for name in others)


def _first_record(head: Sequence[str], delimiter: str) -> list[str]:
    try:
        records = csv.reader(head, delimiter=delimiter)
        return next((record for record in records if not is_blank(record)), [])
    except csv.Error:
        return []
