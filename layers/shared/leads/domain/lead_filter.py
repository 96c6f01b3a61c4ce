"""Choose the leads of an export and their columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from leads.domain.lead import LeadSource, LeadStatus

EXPORT_COLUMNS: Final = (
    "id",
    "name",
    "phone",
    "email",
    "source",
    "lead_source",
    "status",
    "score",
    "notes",
    "created_at",
    "updated_at",
    "created_by",
    "updated_by",
    "annonce_id",
    "case_type",
    "status_code",
    "loss_reason",
    "won_reason",
)
"""The columns that may be exported (our API)."""

DEFAULT_COLUMNS: Final = EXPORT_COLUMNS[:11]


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """The conditions that every exported lead of the organisation meets.

    Times are UTC without a zone, to the second, and both ends are included.
    """

    status: LeadStatus | None = None
    source: LeadSource | None = None
    start: datetime | None = None
    end: datetime | None = None

    def as_recorded(self) -> dict[str, str]:
        """Return the conditions under the names of the API's parameters, without those not given."""
        conditions = {
            "status": self.status and self.status.value,
            "source": self.source and self.source.name,
            "startDate": self.start and self.start.isoformat(),
            "endDate": self.end and self.end.isoformat(),
        }
        return {name: value for name, value in conditions.items() if value}

    @classmethod
    def from_recorded(cls, recorded: Mapping[str, str]) -> Self:
        """Return the filter of which `as_recorded` returned this."""
        return cls(
            status=LeadStatus[recorded["status"]] if "status" in recorded else None,
            source=LeadSource[recorded["source"]] if "source" in recorded else None,
            start=datetime.fromisoformat(recorded["startDate"]) if "startDate" in recorded else None,
            end=datetime.fromisoformat(recorded["endDate"]) if "endDate" in recorded else None,
        )
