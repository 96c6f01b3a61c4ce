"""Classify each row's phone as new or as a possible duplicate, so that only possible ones are looked up.

The key of a phone has one definition, the SQL function phone_key. But two phones of the same key have the
same last eight digits, their suffix, and the filter has a bit for each of the 10^8 suffixes.
tests/integration/database/test_phone_key.py holds the suffixes to the keys.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final, NamedTuple

from leads.domain.duplicate_hints import DuplicateHints

SUFFIX_DIGITS: Final = 8
"""Fewer digits tell fewer phones apart. One more takes ten times the 12.5 MB of bits."""

_SUFFIXES: Final = 10**SUFFIX_DIGITS

_INTERNATIONAL: Final = r"\+[0-9]{8,}"
_NATIONAL: Final = "0[1-9]" + 4 * "[ .-]?[0-9][0-9]"

_ONE_NUMBER: Final = re.compile(f"{_INTERNATIONAL}|{_NATIONAL}")
"""A cell that is one number for certain, international or French national. Its key ends as it does."""

_ONE_NUMBER_LINES: Final = re.compile(f"(?:(?:{_NATIONAL}|{_INTERNATIONAL})\n)*+")
"""Lines that are all `_ONE_NUMBER`. The possessive `*+` halves the time."""

_DROPPED: Final = re.compile(r"\([^0-9()]*0[^0-9()]*\)")
"""The part that a key may leave out: the 0 of +33 (0)6."""


class StoredPhones(NamedTuple):
    """The phones of stored leads, before the first row."""

    suffixes: str
    """The last eight digits of their keys, one after another without a mark. Shorter keys may be left out."""
    recent: int
    """Number of rows, at most, that are not merged yet when another row comes."""


class PhoneFilter:
    """Remember the phones so far. Its only error is to take a new phone for a possible duplicate."""

    def __init__(self, stored: StoredPhones) -> None:
        # Zeros that take no memory before they are written to. A bytearray takes 25 ms to make.
        self._bits = mmap(-1, _SUFFIXES // 8, flags=MAP_PRIVATE | MAP_ANONYMOUS)
        # Rows by the suffix of their phone, which no two share. Of the two halves the older goes at once.
        self._recent = stored.recent
        self._rows: dict[int, int] = {}
        self._older_rows: dict[int, int] = {}
        for at in range(0, len(stored.suffixes), SUFFIX_DIGITS):
            self._add(int(stored.suffixes[at : at + SUFFIX_DIGITS]))

    def classify(self, rows: Sequence[int], phones: Sequence[str]) -> DuplicateHints:
        """Return which rows are duplicates of earlier ones or of each other, and remember all phones."""
        if len(self._rows) >= self._recent:
            self._older_rows, self._rows = self._rows, {}
        possible: list[int] = []
        repeated: list[int] = []
        bits, new = self._bits, self._rows
        # Without a call for each row, which would take twice as long.
        for row, phone, number in zip(rows, phones, _numbers(phones), strict=True):
            if number is None:
                # Of several numbers the key has one, and a short one has no suffix: it may be a duplicate.
                for suffix in _suffixes(phone):
                    self._add(suffix)
                    repeated.append(suffix)
                possible.append(row)
                continue
            suffix = number % _SUFFIXES
            at, bit = suffix >> 3, 1 << (suffix & 7)
            if bits[at] & bit:
                possible.append(row)
                repeated.append(suffix)
            else:
                bits[at] |= bit
                new[suffix] = row
        return DuplicateHints(possible, self._earlier_rows(repeated))

    def _earlier_rows(self, suffixes: Iterable[int]) -> list[int]:
        rows = (self._rows.get(suffix, self._older_rows.get(suffix)) for suffix in dict.fromkeys(suffixes))
        return [row for row in rows if row is not None]

    def _add(self, suffix: int) -> None:
        self._bits[suffix >> 3] |= 1 << (suffix & 7)


_MARKS: Final = str.maketrans("", "", "+ .-")


def _numbers(phones: Sequence[str]) -> Iterable[int | None]:
    """Return the digits of each phone that is one number for certain, None for the others."""
    lines = "\n".join(phones)
    # Nearly all chunks have only such phones. Taking a chunk apart takes three times as long.
    if lines.count("\n") == len(phones) - 1 and _ONE_NUMBER_LINES.fullmatch(lines + "\n"):
        return map(int, lines.translate(_MARKS).split("\n"))
    return (int(phone.translate(_MARKS)) if _ONE_NUMBER.fullmatch(phone) else None for phone in phones)


def _suffixes(phone: str) -> Iterator[int]:
    """Return every suffix that the key of a cell may have: it is made of digits that follow each other."""
    for text in (
        phone,
        *(phone[: match.start()] + phone[match.end() :] for match in _DROPPED.finditer(phone)),
    ):
        digits = re.sub("[^0-9]", "", text)
        for at in range(len(digits) - SUFFIX_DIGITS + 1):
            yield int(digits[at : at + SUFFIX_DIGITS])
