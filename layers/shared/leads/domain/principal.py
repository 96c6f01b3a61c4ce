"""Who calls, and what an organisation's id may look like."""

import re
from dataclasses import dataclass
from enum import StrEnum

# Our API's rule. It keeps an id harmless wherever it goes: S3 keys, log lines, SQL settings.
_ORG_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


def is_org_id(text: str) -> bool:
    """Whether the text is a well-formed organisation id: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`."""
    return _ORG_ID.fullmatch(text) is not None


class Role(StrEnum):
    """The roles that may use the service."""

    ADMIN = "ADMIN"
    PRO = "PRO"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller: everything a request does is done for `org_id` alone."""

    org_id: str
    role: Role
    user: str
