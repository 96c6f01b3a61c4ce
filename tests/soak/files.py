"""The files of the partners, with what each row is: the service's own rules are not asked."""

import random
from typing import NamedTuple

from leads.domain.merge_strategy import MergeStrategy
from tests.support.lead_row import LeadRow

HEADER = ",".join(LeadRow._fields)
PHONES = 400
"""Different phones of an organisation: few, so that most of them come again."""

UNUSABLE = (b"no leads\n", b"", b"name,phone\nA,1\n", b'name,phone,source\nA,1,"web\n')

_WRITTEN = ("+336{0}", "06{0}", "0033 6 {0}", "+33 (0)6.{0}")
_FAULTY = (",1,web", "Ana,none,web", "Ana,1,wbe", "Ana,,web")


class SentFile(NamedTuple):
    """A file, its strategy and its rows by number, None for a faulty one; without rows it is unusable."""

    content: bytes
    strategy: MergeStrategy
    rows: dict[int, tuple[LeadRow, str] | None] | None


def make_file(choose: random.Random) -> SentFile:
    """A file of some rows, now and then an unusable one, now and then one of thousands."""
    strategy = choose.choice(list(MergeStrategy))
    if choose.random() < 0.05:
        return SentFile(choose.choice(UNUSABLE), strategy, None)
    lines = [HEADER]
    rows: dict[int, tuple[LeadRow, str] | None] = {}
    size = choose.choice((1, 20, 20, 60, 60, 200))
    for number in range(2, size + 2):
        if choose.random() < 0.05:
            name, phone, source = choose.choice(_FAULTY).split(",")
            lines.append(f"{name},{phone},,{source},,,")
            rows[number] = None
            continue
        row, key = _lead(choose)
        lines.append(",".join(row))
        rows[number] = row, key
    return SentFile(("\n".join(lines) + "\n").encode(), strategy, rows)


def _lead(choose: random.Random) -> tuple[LeadRow, str]:
    digits = f"{choose.randrange(PHONES):08}"
    row = LeadRow(
        name=f"Ana Martin {choose.randrange(1000)}",
        phone=choose.choice(_WRITTEN).format(digits),
        email=choose.choice(("", f"ana{choose.randrange(1000)}@agence.example")),
        source=choose.choice(("web", "email", "walk_in")),
        lead_source=choose.choice(("", "Salon")),
        score=choose.choice(("", "0", "77")),
        notes=choose.choice(("", f"T{choose.randrange(5)} au calme")),
    )
    return row, f"+336{digits}"
