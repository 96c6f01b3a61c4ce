"""Name the fields of a lead and their values.

The rules for a row are in lead_rules.py: it loads pydantic_core, which most functions do not need.
"""

from enum import StrEnum
from typing import Final


class LeadStatus(StrEnum):
    """The state of a lead. WON and LOST are closed: no row is a duplicate of such a lead."""

    NEW = "NEW"
    QUALIFYING = "QUALIFYING"
    QUALIFIED = "QUALIFIED"
    APPOINTMENT = "APPOINTMENT"
    WON = "WON"
    DRAFT = "DRAFT"
    LOST = "LOST"


class LeadSource(StrEnum):
    """The way by which a lead reached the agency; stored in lower case."""

    WEB = "web"
    MOBILE = "mobile"
    PHONE = "phone"
    EMAIL = "email"
    REFERRAL = "referral"
    WALK_IN = "walk_in"
    SOCIAL_MEDIA = "social_media"
    UNKNOWN = "unknown"


FIELDS: Final = ("name", "phone", "email", "source", "lead_source", "score", "notes")
"""The fields of an import, in the order of their cells."""

REQUIRED_FIELDS: Final = ("name", "phone", "source")

LeadCells = tuple[str, ...]
"""The trimmed cells of a valid row, one for each field of its file; '' for an empty optional one."""
