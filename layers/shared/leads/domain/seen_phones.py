"""Which rows of a file may have a phone that was there before, so that nobody looks for the others.

What the key of a phone is, Postgres alone tells (phone_key in postgres/migrations/0001_dossier.sql). But two
phones of the same key have the same last eight digits, and here is a bit for each of the 10^8 endings.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

TAIL: Final = 8
"""Digits of an ending: fewer tell fewer phones apart, and one more takes ten times the 12.5 MB."""

_CERTAIN: Final = re.compile(r"\+[0-9]{8,}|0[1-9](?:[ .-]?[0-9]{2}){4}")
"""What is one number for sure, an international one or a French national one, whose key ends as it does."""

_DROPPED: Final = re.compile(r"\([^0-9()]*0[^0-9()]*\)")
"""What the key may leave out: the 0 of +33 (0)6."""


class SeenPhones:
    """The phones so far. It may take a phone for one that was seen, never one that was seen for a new one."""

    def __init__(self, tails: str) -> None:
        """`tails` are the last eight digits of the keys of stored leads, one after another without a mark.
        Shorter keys may be left out.
        """
        self._bits = bytearray((10**TAIL + 7) // 8)
        for at in range(0, len(tails), TAIL):
            self._see(int(tails[at : at + TAIL]))

    def suspects(self, phones: Iterable[tuple[int, str]]) -> list[int]:
        """Of these rows and their phones the rows whose phone may have been seen before, by an earlier one of
        them, too. From now on all of them were.
        """
        found = []
        bits = self._bits
        # Without a call for each row, which would take twice as long.
        for row, phone in phones:
            if _CERTAIN.fullmatch(phone):
                ending = phone[-TAIL:]
                tail = int(ending if ending.isdecimal() else phone.translate(_MARKS)[-TAIL:])
                at, bit = tail >> 3, 1 << (tail & 7)
                if bits[at] & bit:
                    found.append(row)
                else:
                    bits[at] |= bit
            else:
                # Of several numbers the key has one, and a short one has no ending: it is as if it was seen.
                for tail in _endings(phone):
                    self._see(tail)
                found.append(row)
        return found

    def _see(self, tail: int) -> None:
        self._bits[tail >> 3] |= 1 << (tail & 7)


_MARKS: Final = str.maketrans("", "", "+ .-")


def _endings(phone: str) -> Iterator[int]:
    """Every ending that the key of a cell may have: it is made of digits that follow each other there."""
    for text in (
        phone,
        *(phone[: match.start()] + phone[match.end() :] for match in _DROPPED.finditer(phone)),
    ):
        digits = re.sub("[^0-9]", "", text)
        for at in range(len(digits) - TAIL + 1):
            yield int(digits[at : at + TAIL])
