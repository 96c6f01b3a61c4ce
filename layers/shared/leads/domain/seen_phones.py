"""Which rows of a file may have a phone that was there before, so that nobody looks for the others.

What the key of a phone is, Postgres alone tells (phone_key in postgres/migrations/0001_dossier.sql). But two
phones of the same key have the same last eight digits, and here is a bit for each of the 10^8 endings.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

TAIL: Final = 8
"""Digits of an ending: fewer tell fewer phones apart, and one more takes ten times the 12.5 MB."""

_INTERNATIONAL: Final = r"\+[0-9]{8,}"
_NATIONAL: Final = r"0[1-9](?:[ .-]?[0-9]{2}){4}"

_CERTAIN: Final = re.compile(f"{_INTERNATIONAL}|{_NATIONAL}")
"""What is one number for sure, an international one or a French national one, whose key ends as it does."""

_CERTAIN_LINES: Final = re.compile(f"^(?:{_INTERNATIONAL}|{_NATIONAL})$", re.MULTILINE)

_DROPPED: Final = re.compile(r"\([^0-9()]*0[^0-9()]*\)")
"""What the key may leave out: the 0 of +33 (0)6."""


class KnownPhones(NamedTuple):
    """What is known before the first row."""

    tails: str
    """The last eight digits of the keys of stored leads, one after another without a mark; shorter keys may
    be left out.
    """
    recent: int
    """How many rows, at most, are not stored yet when another one comes."""


class Suspicion(NamedTuple):
    """Numbers of rows."""

    suspects: list[int]
    """Rows whose phone may have been there before."""
    originals: list[int]
    """Rows, no suspects, whose phones the suspects may repeat: of those that may not be stored yet."""


class SeenPhones:
    """The phones so far. It may take a phone for one that was seen, never one that was seen for a new one."""

    def __init__(self, known: KnownPhones) -> None:
        self._bits = bytearray((10**TAIL + 7) // 8)
        # By the ending of their phones, which no two share. In two halves: the older one goes at once.
        self._recent = known.recent
        self._rows: dict[int, int] = {}
        self._older_rows: dict[int, int] = {}
        for at in range(0, len(known.tails), TAIL):
            self._see(int(known.tails[at : at + TAIL]))

    def suspect(self, rows: Sequence[int], phones: Sequence[str]) -> Suspicion:
        """Which of these rows and their phones may have been seen before, one of an earlier one of them, too.
        From now on all of them were.
        """
        if len(self._rows) >= self._recent:
            self._older_rows, self._rows = self._rows, {}
        found: list[int] = []
        repeated: list[int] = []
        bits = self._bits
        new = self._rows
        # Without a call for each row, which would take twice as long.
        for row, phone, tail in zip(rows, phones, _tails(phones), strict=True):
            if tail is None:
                # Of several numbers the key has one, and a short one has no ending: it is as if it was seen.
                for ending in _endings(phone):
                    self._see(ending)
                    repeated.append(ending)
                found.append(row)
                continue
            at, bit = tail >> 3, 1 << (tail & 7)
            if bits[at] & bit:
                found.append(row)
                repeated.append(tail)
            else:
                bits[at] |= bit
                new[tail] = row
        return Suspicion(found, self._originals(repeated))

    def _originals(self, tails: Iterable[int]) -> list[int]:
        rows = (self._rows.get(tail, self._older_rows.get(tail)) for tail in dict.fromkeys(tails))
        return [row for row in rows if row is not None]

    def _see(self, tail: int) -> None:
        self._bits[tail >> 3] |= 1 << (tail & 7)


_MARKS: Final = str.maketrans("", "", "+ .-")


def _tails(phones: Sequence[str]) -> Iterable[int | None]:
    """The ending of each phone that is one number for sure, None for the others."""
    lines = "\n".join(phones)
    # Nearly all chunks have such phones only, and then are not taken apart: that takes three times as long.
    if lines.count("\n") == len(phones) - 1 and len(_CERTAIN_LINES.findall(lines)) == len(phones):
        return [int(digits[-TAIL:]) for digits in lines.translate(_MARKS).split("\n")]
    return (int(phone.translate(_MARKS)[-TAIL:]) if _CERTAIN.fullmatch(phone) else None for phone in phones)


def _endings(phone: str) -> Iterator[int]:
    """Every ending that the key of a cell may have: it is made of digits that follow each other there."""
    for text in (
        phone,
        *(phone[: match.start()] + phone[match.end() :] for match in _DROPPED.finditer(phone)),
    ):
        digits = re.sub("[^0-9]", "", text)
        for at in range(len(digits) - TAIL + 1):
            yield int(digits[at : at + TAIL])
