"""Identify the caller and the organisation of a request."""

import re
from dataclasses import dataclass
from enum import StrEnum

_ORG_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
"""Our API's rule: such an id is harmless in S3 keys, log lines and SQL settings."""


def is_org_id(text: str) -> bool:
    """Tell whether a text is a well-formed organisation id."""
    return _ORG_ID.fullmatch(text) is not None


class Role(StrEnum):
    """The roles that may use the service."""

    ADMIN = "ADMIN"
    PRO = "PRO"


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated caller. A request reads and changes only what belongs to `org_id`."""

    org_id: str
    role: Role
    user: str
