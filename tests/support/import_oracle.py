"""State the semantics of an import in slow, obvious steps: one row after another.

The set-based engine must agree with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from leads.domain.import_job import ImportCounts
from leads.domain.merge_strategy import MergeStrategy
from tests.support.lead_row import LeadRow


@dataclass(frozen=True)
class StoredLead:
    """A lead before or after an import.

    `updated` orders updates: an import's is later than all before it.
    """

    name: str
    phone: str
    phone_key: str
    email: str | None
    source: str
    lead_source: str | None
    score: int | None
    notes: str | None
    status: str
    updated: int
    updated_by: str


class Imported(NamedTuple):
    """What an import leaves. `not_imported` says error or duplicate, by row number."""

    leads: list[StoredLead]
    counts: ImportCounts
    not_imported: dict[int, str]


def import_rows(
    stored: list[StoredLead],
    rows: Mapping[int, tuple[LeadRow, str] | None],
    strategy: MergeStrategy,
    *,
    user: str,
    now: int,
) -> Imported:
    """Handles the rows by number, each a valid lead with its phone key or None for a faulty one."""
    leads = list(stored)
    not_imported = {}
    success = error = skipped = 0
    for number, row in sorted(rows.items()):
        if row is None:
            error += 1
            not_imported[number] = "error"
            continue
        cells, key = row
        duplicates = [
            index
            for index, lead in enumerate(leads)
            if lead.phone_key == key and lead.status not in ("WON", "LOST")
        ]
        if strategy is MergeStrategy.CREATE_NEW or not duplicates:
            leads.append(_new(cells, key, user, now))
            success += 1
        elif strategy is MergeStrategy.SKIP:
            skipped += 1
            not_imported[number] = "duplicate"
        else:
            # Of several the one updated last, then the highest id; leads are in the order of their ids.
            target = max(duplicates, key=lambda index: (leads[index].updated, index))
            leads[target] = _overwritten(leads[target], cells, user, now)
            success += 1
    return Imported(leads, ImportCounts(success, error, skipped), not_imported)


def _new(cells: LeadRow, key: str, user: str, now: int) -> StoredLead:
    return StoredLead(
        name=cells.name,
        phone=cells.phone,
        phone_key=key,
        email=cells.email or None,
        source=cells.source,
        lead_source=cells.lead_source or None,
        score=int(cells.score) if cells.score else None,
        notes=cells.notes or None,
        status="NEW",
        updated=now,
        updated_by=user,
    )


def _overwritten(lead: StoredLead, cells: LeadRow, user: str, now: int) -> StoredLead:
    written = replace(
        lead,
        name=cells.name,
        phone=cells.phone,
        source=cells.source,
        email=cells.email or lead.email,
        lead_source=cells.lead_source or lead.lead_source,
        score=int(cells.score) if cells.score else lead.score,
        notes=cells.notes or lead.notes,
    )
    if written == lead:
        return lead
    return replace(written, updated=max(now, lead.updated), updated_by=user)
