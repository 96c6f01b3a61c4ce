"""Find the delimiter of a file before its first row is read.

A first line `sep=X` (Excel) is obeyed and dropped. Otherwise it is the one of `,` `;` tab and `|` that splits
the header into the most known column names. Of equals it is the one that splits the header into the most
cells. In a report of the service it is the one that yields the report's three columns.
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
"""Lines within which the header must end, with blank ones before it and line breaks in quoted cells."""

_HEADER_CHARACTERS: Final = 1024 * 1024
"""Characters of these lines that are read for the header: they stay in memory until they are read as rows."""

BYTE_ORDER_MARK: Final = "\ufeff"
"""The first character, by which Excel recognises UTF-8."""

# A quoted cell may be as long as a line. csv's own limit of 131,072 characters is too short.
csv.field_size_limit(LINE_LIMIT)


class Dialect(NamedTuple):
    """The delimiter of a file, and its lines without a byte order mark and a `sep=` line."""

    delimiter: str
    space_after_delimiter: bool
    """Whether a space stands before each quoted cell, as some programs write it."""
    has_bom: bool
    lines: Iterator[str]


def find_dialect(lines: Iterator[str]) -> Dialect:
    """Find the delimiter in the first lines.

    Raises:
        InvalidFile: A `sep=` line names a character that cannot be a delimiter.
    """
    head = _head(lines)
    has_bom = bool(head) and head[0].startswith(BYTE_ORDER_MARK)
    if has_bom:
        head[0] = head[0].removeprefix(BYTE_ORDER_MARK)
    if head and (match := _SEP_LINE.fullmatch(head[0])):
        delimiter = match[1]
        if delimiter in '"\r\n\0 ' or delimiter.isalnum():
            raise InvalidFile(
                FailureCode.INVALID_CSV,
                "The first line's sep= names a character that cannot be a delimiter. Name a comma, a "
                "semicolon, a tab or |, or delete the line.",
            )
        head = head[1:]
    else:
        delimiter = _delimiter_of(head)
    return Dialect(delimiter, _has_spaces(head, delimiter), has_bom, chain(head, lines))


def _head(lines: Iterator[str]) -> list[str]:
    """Read the lines that may hold the header."""
    head: list[str] = []
    remaining = _HEADER_CHARACTERS
    for line in islice(lines, HEADER_LINES):
        head.append(line)
        remaining -= len(line)
        if remaining <= 0:
            break
    return head


def is_blank(record: Sequence[str]) -> bool:
    """Tell whether a record before the header is empty. By another delimiter, `;;;` is one cell of it."""
    return not any(cell.strip().strip(_BLANK).strip() for cell in record)


def _delimiter_of(head: Sequence[str]) -> str:
    def fitness(delimiter: str) -> tuple[bool, int, int]:
        header = _first_record(head, delimiter)
        return is_report(header), known_names(header), len(header)

    return max(DELIMITERS, key=fitness)


def _has_spaces(head: Sequence[str], delimiter: str) -> bool:
    others = _first_record(head, delimiter)[1:]
    return bool(others) and all(name.startswith(' "') for name in others)


def _first_record(head: Sequence[str], delimiter: str) -> list[str]:
    try:
        records = csv.reader(head, delimiter=delimiter)
        return next((record for record in records if not is_blank(record)), [])
    except csv.Error:
        return []
