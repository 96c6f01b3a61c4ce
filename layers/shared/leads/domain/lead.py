"""What a lead is made of. The rules that a row must keep to become one are in lead_rules.py, which loads
pydantic_core.
"""

from enum import StrEnum
from typing import Final


class LeadStatus(StrEnum):
    """Where a lead stands. WON and LOST are closed: such a lead is nobody's duplicate."""

    NEW = "NEW"
    QUALIFYING = "QUALIFYING"
    QUALIFIED = "QUALIFIED"
    APPOINTMENT = "APPOINTMENT"
    WON = "WON"
    DRAFT = "DRAFT"
    LOST = "LOST"


class LeadSource(StrEnum):
    """How a lead reached the agency; stored in lower case."""

    WEB = "web"
    MOBILE = "mobile"
    PHONE = "phone"
    EMAIL = "email"
    REFERRAL = "referral"
    WALK_IN = "walk_in"
    SOCIAL_MEDIA = "social_media"
    UNKNOWN = "unknown"


FIELDS: Final = ("name", "phone", "email", "source", "lead_source", "score", "notes")
"""The fields of an import, in the order in which their cells stand everywhere."""

REQUIRED_FIELDS: Final = ("name", "phone", "source")

LeadCells = tuple[str, ...]
"""The trimmed cells of a valid row, one per field that its file has; an optional one that was empty is ''."""
