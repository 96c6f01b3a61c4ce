"""Generate the files of the benchmarks. The same arguments give the same file."""

import random
from enum import StrEnum
from pathlib import Path
from typing import Final

HEADER: Final = "name,phone,email,source,lead_source,score,notes\n"
DUPLICATES: Final = 0.05
"""Share of the rows that have the phone of an earlier row, anywhere in the file."""

_FIRST: Final = ("Jean", "Marie", "Élodie", "Luc", "Zoé", "Paul", "Anne")
_LAST: Final = ("Martin", "Bernard", "Dupré", "Petit", "Durand", "Leroy")
_SOURCES: Final = ("web", "mobile", "phone", "email", "referral", "walk_in", "social_media", "unknown")


class Phones(StrEnum):
    """Notation of the phones in a file."""

    CANONICAL = "canonical"  # +33612345678
    NATIONAL = "national"  # 06 12 34 56 78
    LANDLINE = "landline"  # 01 12 34 56 78


def write_leads(path: Path, rows: int, phones: Phones, *, town: str = "Lyon", seed: int = 1) -> None:
    """Write a file of valid rows of about 95 bytes. Another `town` writes the same leads with other notes."""
    # S311 is about secrets. Here the same seed must produce the same file.
    choose = random.Random(seed)  # noqa: S311
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for row in range(rows):
            lead = choose.randrange(row) if row and choose.random() < DUPLICATES else row
            name = f"{choose.choice(_FIRST)} {choose.choice(_LAST)}"
            origin = f"{choose.choice(_SOURCES)},Campagne {lead % 20},{choose.randrange(101)}"
            phone = _phone(lead, phones)
            file.write(f"{name},{phone},client{lead}@example.com,{origin},{town} secteur {lead % 50}\n")


def write_wrong_rows(path: Path, rows: int) -> None:
    """Write a file in which every row is faulty, as after a mistake with its columns."""
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for row in range(rows):
            file.write(
                f"Jean Martin,none,client{row}@example.com,Lyon,Campagne {row % 20},12,secteur {row % 50}\n"
            )


def _phone(lead: int, phones: Phones) -> str:
    # 7919 and the number of phones have no common divisor, so each lead has its own phone, in no order.
    first = 100_000_000 if phones is Phones.LANDLINE else 600_000_000
    number = first + lead * 7919 % 199_999_991
    if phones is Phones.CANONICAL:
        return f"+33{number}"
    digits = f"0{number}"
    return " ".join(digits[start : start + 2] for start in range(0, 10, 2))
