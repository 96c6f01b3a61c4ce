"""Which rows of a file have a phone that was there before, for sure or perhaps, so that nobody looks for the
others.

What the key of a phone is, Postgres alone tells (phone_key in postgres/migrations/0001_dossier.sql). But two
phones of the same key have the same last eight digits, and here is a bit for each of the 10^8 endings. French
mobile numbers, which most leads have, have bits of their own: those with the same bit have the same key.
tests/integration/database/test_phone_key.py holds both to the keys.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final, NamedTuple

from leads.domain.duplicate_hints import DuplicateHints

TAIL: Final = 8
"""Digits of an ending: fewer tell fewer phones apart, and one more takes ten times the 12.5 MB of a kind."""

_ENDINGS: Final = 10**TAIL
_BYTES: Final = _ENDINGS // 8

_INTERNATIONAL: Final = r"\+[0-9]{8,}"
_NATIONAL: Final = "0[1-9]" + 4 * "[ .-]?[0-9][0-9]"

_CERTAIN: Final = re.compile(f"{_INTERNATIONAL}|{_NATIONAL}")
"""What is one number for sure, an international one or a French national one, whose key ends as it does."""

_CERTAIN_LINES: Final = re.compile(f"(?:(?:{_NATIONAL}|{_INTERNATIONAL})\n)*+")
"""Lines that are all `_CERTAIN`. Without a way back (`*+`) it takes half as long."""

_PLUS: Final = "99"
"""Stands for a +: as an integer, a national number has nine digits, and one with a + more than that."""

_AREA: Final = 10**6
"""A number divided by it is what comes before its last six digits."""

_OVERSEAS: Final = frozenset({690, 691, 692, 693, 694, 696, 697})
"""Areas of overseas mobile numbers, which have country codes of their own (french_country_code in
postgres/migrations/0012_overseas_phones.sql): 0690 is not +33690.
"""

_MOBILES: Final = {
    area: (kind - area // 100) * _ENDINGS
    for kind, national in ((1, range(600, 700)), (2, range(700, 800)))
    for area in (*national, *(int(f"{_PLUS}33{area}") for area in national if area not in _OVERSEAS))
}
"""What a French mobile number of these areas is shifted by to its bit: those of 06 and +336 have a kind of
bits of their own, and so have those of 07 and +337.
"""

_KINDS: Final = (0, _ENDINGS, 2 * _ENDINGS)
"""Where the bits of each kind begin. All other numbers have the first one, whose bits say perhaps."""

_DROPPED: Final = re.compile(r"\([^0-9()]*0[^0-9()]*\)")
"""What the key may leave out: the 0 of +33 (0)6."""


class StoredPhones(NamedTuple):
    """What is known before the first row."""

    tails: str
    """The last eight digits of the keys of stored leads, one after another without a mark; shorter keys may
    be left out.
    """
    recent: int
    """How many rows, at most, are not stored yet when another one comes."""


class PhoneFilter:
    """The phones so far. It may take a new phone for one that was perhaps seen, and errs in no other way."""

    def __init__(self, known: StoredPhones) -> None:
        # Zeros that take no memory before they are written to: a bytearray takes 25 ms to make.
        self._bits = mmap(-1, len(_KINDS) * _BYTES, flags=MAP_PRIVATE | MAP_ANONYMOUS)
        # By the bit of their phone, which no two share. In two halves: the older one goes at once.
        self._recent = known.recent
        self._rows: dict[int, int] = {}
        self._older_rows: dict[int, int] = {}
        for at in range(0, len(known.tails), TAIL):
            self._see(int(known.tails[at : at + TAIL]))

    def suspect(self, rows: Sequence[int], phones: Sequence[str]) -> DuplicateHints:
        """Which of these rows and their phones have been seen before, or may have been, in an earlier one of
        them, too. From now on all of them were.
        """
        if len(self._rows) >= self._recent:
            self._older_rows, self._rows = self._rows, {}
        repeats: list[int] = []
        suspects: list[int] = []
        repeated: list[int] = []
        bits, new = self._bits, self._rows
        # Without a call for each row, which would take twice as long.
        for row, phone, number in zip(rows, phones, _numbers(phones), strict=True):
            if number is None:
                # Of several numbers the key has one, and a short one has no ending: it is as if it was seen.
                for ending in _endings(phone):
                    self._see(ending)
                    repeated.append(ending)
                suspects.append(row)
                continue
            shift = _MOBILES.get(number // _AREA)
            place = number % _ENDINGS if shift is None else number + shift
            at, bit = place >> 3, 1 << (place & 7)
            if shift is None:
                seen = bits[at] | bits[at + _BYTES] | bits[at + 2 * _BYTES]
            elif bits[at] & bit:
                repeats.append(row)
                continue
            else:
                seen = bits[at % _BYTES]
            bits[at] |= bit
            if seen & bit:
                suspects.append(row)
                repeated.append(place % _ENDINGS)
            else:
                new[place] = row
        return DuplicateHints(repeats, suspects, self._originals(repeated))

    def _originals(self, tails: Iterable[int]) -> list[int]:
        places = (kind + tail for tail in dict.fromkeys(tails) for kind in _KINDS)
        rows = (self._rows.get(place, self._older_rows.get(place)) for place in places)
        return [row for row in rows if row is not None]

    def _see(self, tail: int) -> None:
        self._bits[tail >> 3] |= 1 << (tail & 7)


_MARKS: Final = str.maketrans("", "", " .-")


def _numbers(phones: Sequence[str]) -> Iterable[int | None]:
    """The digits of each phone that is one number for sure, None for the others."""
    lines = "\n".join(phones)
    # Nearly all chunks have such phones only, and then are not taken apart: that takes three times as long.
    if lines.count("\n") == len(phones) - 1 and _CERTAIN_LINES.fullmatch(lines + "\n"):
        return map(int, lines.replace("+", _PLUS).translate(_MARKS).split("\n"))
    return (
        int(phone.replace("+", _PLUS).translate(_MARKS)) if _CERTAIN.fullmatch(phone) else None
        for phone in phones
    )


def _endings(phone: str) -> Iterator[int]:
    """Every ending that the key of a cell may have: it is made of digits that follow each other there."""
    for text in (
        phone,
        *(phone[: match.start()] + phone[match.end() :] for match in _DROPPED.finditer(phone)),
    ):
        digits = re.sub("[^0-9]", "", text)
        for at in range(len(digits) - TAIL + 1):
            yield int(digits[at : at + TAIL])
