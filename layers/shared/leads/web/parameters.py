"""The parts of a request that several routes read: query parameters, choices, the headers Prefer and others.

What is not known is refused and what is allowed is listed: a mistyped filter must never be taken for none.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from leads.errors import FieldError, InvalidRequest

E = TypeVar("E", bound=Enum)

# One that is never closed goes on to the end; atomic, so that no header takes more time than its length.
_QUOTED: Final = r'(?>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))'
_LISTED: Final = re.compile(rf'(?:[^",]|{_QUOTED})+')
"""One element of a header that is a list (RFC 9110, 5.6.1): a comma within quotes does not end it."""
_PREFERENCE: Final = re.compile(
    rf"([!#$%&'*+.^_`|~\w-]+)\s*(?:=\s*({_QUOTED}|[^\s\";]*)\s*)?(?:;.*)?", re.ASCII
)

KEY_LENGTH: Final = 255
"""Characters of an Idempotency-Key: a UUID has 36, and of a longer text its hash does as well (our API)."""

_QUOTED_KEY: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')
"""A String of structured fields (RFC 9651, 3.3.3)."""
_BARE_KEY: Final = re.compile(r"[!#-+\--:<-\[\]-~]+")
"""What prints in ASCII but `"` `,` `;` and a backslash, as most clients send a key."""


def refuse_unknown(given: Collection[str], allowed: Collection[str]) -> None:
    """Raises InvalidRequest when a parameter is given that does not exist."""
    errors = [
        FieldError(name, f"Unknown parameter: {name[:100]}. Allowed: {', '.join(allowed) or 'none'}")
        for name in given
        if name not in allowed
    ]
    if errors:
        raise InvalidRequest.of(errors)


def choice(kind: type[E], field: str, text: str) -> E:
    """The member of that name, in any case. Raises InvalidRequest that lists what is allowed."""
    name = text.strip()
    try:
        # Outside ASCII other letters fold into these: the dotless i's upper case is I.
        return kind[name.upper() if name.isascii() else name]
    except KeyError:
        allowed = ", ".join(kind.__members__)
        message = f"Invalid {field} value: {text[:100] or '(empty)'}. Allowed: {allowed}"
        raise InvalidRequest.of([FieldError(field, message)]) from None


def flag(field: str, text: str) -> bool:
    """`true` or `false`, in any case. Raises InvalidRequest."""
    if text.lower() not in ("true", "false"):
        message = f"Invalid {field} value: {text[:100] or '(empty)'}. Allowed: true, false"
        raise InvalidRequest.of([FieldError(field, message)])
    return text.lower() == "true"


@dataclass(frozen=True, slots=True)
class Preference:
    """How long the caller wants to wait for the result, in seconds, and what to say was applied (RFC
    7240).
    """

    wait: float
    applied: str | None

    @property
    def headers(self) -> dict[str, str]:
        return {"Preference-Applied": self.applied} if self.applied else {}


def preference(headers: Mapping[str, str], *, default: float, most: int) -> Preference:
    """Reads `Prefer: wait=N` and `Prefer: respond-async`; with both, N seconds are waited.

    A preference that cannot be read is ignored, as RFC 7240 wants; of one given twice, the first counts.
    """
    header = next((value for name, value in headers.items() if name.lower() == "prefer"), "")
    given: dict[str, str] = {}
    for part in _LISTED.findall(header):
        if match := _PREFERENCE.fullmatch(part.strip()):
            given.setdefault(match[1].lower(), (match[2] or "").strip('"'))
    wait = min(int(given["wait"]), most) if re.fullmatch("[0-9]{1,9}", given.get("wait", "")) else None
    applied = ["respond-async"] if "respond-async" in given else []
    if wait is not None:
        applied.append(f"wait={wait}")
    if not applied:
        return Preference(default, None)
    return Preference(float(wait or 0), ", ".join(applied))


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The Idempotency-Key, without its quotes, or None when there is no such header
    (draft-ietf-httpapi-idempotency-key-header-07, 2.1, which asks for the quotes). Raises InvalidRequest.
    """
    header = next((value for name, value in headers.items() if name.lower() == "idempotency-key"), None)
    if header is None:
        return None
    text = header.strip(" ")
    if match := _QUOTED_KEY.fullmatch(text):
        key = re.sub(r"\\(.)", r"\1", match[1])
    else:
        key = text if _BARE_KEY.fullmatch(text) else ""
    if not 1 <= len(key) <= KEY_LENGTH:
        message = (
            f"Idempotency-Key must be one text of 1 to {KEY_LENGTH} ASCII characters in double quotes, a new "
            'one for each import, such as "8e03978e-40d5-43e8-bc93-6894a57f9324".'
        )
        raise InvalidRequest.of([FieldError("Idempotency-Key", message)])
    return key


def asks_for_json(headers: Mapping[str, str]) -> bool:
    """Whether the Accept header names application/json (RFC 9110): a program's page, not a browser or plain
    curl.
    """
    accept = next((value for name, value in headers.items() if name.lower() == "accept"), "")
    return any(part.partition(";")[0].strip().lower() == "application/json" for part in accept.split(","))
