"""Read the parts of a request that routes share: parameters, choices, and headers such as Prefer.

Unknown names and values are refused with the allowed ones: a mistyped filter must never count as no filter.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from leads.errors import FieldError, InvalidRequest

E = TypeVar("E", bound=Enum)

# An unclosed string extends to the end. Atomic groups keep the time linear in the header's length.
_QUOTED: Final = r'(?>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))'
_LISTED: Final = re.compile(rf'(?:[^",]|{_QUOTED})+')
"""One element of a header that is a list (RFC 9110, 5.6.1). A comma within quotes does not end it."""

_PREFERENCE: Final = re.compile(
    rf"([!#$%&'*+.^_`|~\w-]+)\s*(?:=\s*({_QUOTED}|[^\s\";]*)\s*)?(?:;.*)?", re.ASCII
)

MAX_KEY_LENGTH: Final = 255
"""Characters of an Idempotency-Key. Clients of the API rely on it.

A UUID has 36. With less, keys that a client builds from names do not fit. With more, the index of keys
grows for nothing: a client can send the hash of a longer text.
"""

_QUOTED_KEY: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')
"""A String of structured fields (RFC 9651, 3.3.3)."""

_BARE_KEY: Final = re.compile(r"[!#-+\--:<-\[\]-~]+")
"""Printable ASCII but for space, `"` `,` `;` and backslash. Many clients send a key without quotes."""


def refuse_unknown(names: Collection[str], allowed: Collection[str]) -> None:
    """Raise InvalidRequest if a parameter's name is not among the allowed ones."""
    errors = [
        FieldError(name, f"Unknown parameter: {name[:100]}. Allowed: {', '.join(allowed) or 'none'}")
        for name in names
        if name not in allowed
    ]
    if errors:
        raise InvalidRequest.of(errors)


def read_choice(kind: type[E], field: str, text: str) -> E:
    """Return the member of that name, in any case. Raises InvalidRequest, which lists the allowed names."""
    name = text.strip()
    try:
        # Beyond ASCII, other letters have these as upper case: the upper case of a dotless i is I.
        return kind[name.upper() if name.isascii() else name]
    except KeyError:
        allowed = ", ".join(kind.__members__)
        message = f"Invalid {field} value: {text[:100] or '(empty)'}. Allowed: {allowed}"
        raise InvalidRequest.of([FieldError(field, message)]) from None


def read_flag(field: str, text: str) -> bool:
    """Return the value of `true` or `false`, in any case. Raises InvalidRequest."""
    if text.lower() not in ("true", "false"):
        message = f"Invalid {field} value: {text[:100] or '(empty)'}. Allowed: true, false"
        raise InvalidRequest.of([FieldError(field, message)])
    return text.lower() == "true"


@dataclass(frozen=True, slots=True)
class Preference:
    """Time that the caller will wait for the result, and the preferences that were applied (RFC 7240)."""

    wait_seconds: float
    applied: str | None

    @property
    def headers(self) -> dict[str, str]:
        """Return the Preference-Applied header, or no header if the request has no preference."""
        return {"Preference-Applied": self.applied} if self.applied else {}


def read_preference(headers: Mapping[str, str], *, default_wait: float, max_wait: int) -> Preference:
    """Read `Prefer: wait=N` and `Prefer: respond-async`. With both, the wait is N seconds.

    RFC 7240: a preference that cannot be read is ignored, and of a repeated one the first counts. The waits
    are in seconds.
    """
    header = next((value for name, value in headers.items() if name.lower() == "prefer"), "")
    sent: dict[str, str] = {}
    for part in _LISTED.findall(header):
        if match := _PREFERENCE.fullmatch(part.strip()):
            sent.setdefault(match[1].lower(), (match[2] or "").strip('"'))
    wait = min(int(sent["wait"]), max_wait) if re.fullmatch("[0-9]{1,9}", sent.get("wait", "")) else None
    applied = ["respond-async"] if "respond-async" in sent else []
    if wait is not None:
        applied.append(f"wait={wait}")
    if not applied:
        return Preference(default_wait, None)
    return Preference(float(wait or 0), ", ".join(applied))


def read_idempotency_key(headers: Mapping[str, str]) -> str | None:
    """Return the Idempotency-Key without its quotes, or None without the header. Raises InvalidRequest.

    draft-ietf-httpapi-idempotency-key-header-07, 2.1, requires the quotes. A key without them is read too.
    """
    header = next((value for name, value in headers.items() if name.lower() == "idempotency-key"), None)
    if header is None:
        return None
    text = header.strip(" ")
    if match := _QUOTED_KEY.fullmatch(text):
        key = re.sub(r"\\(.)", r"\1", match[1])
    else:
        key = text if _BARE_KEY.fullmatch(text) else ""
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        message = (
            f"Idempotency-Key must be one text of 1 to {MAX_KEY_LENGTH} ASCII characters in double quotes, "
            'such as "8e03978e-40d5-43e8-bc93-6894a57f9324". Use a new key for each import.'
        )
        raise InvalidRequest.of([FieldError("Idempotency-Key", message)])
    return key


def asks_for_json(headers: Mapping[str, str]) -> bool:
    """Return True if the Accept header names application/json (RFC 9110). Browsers and plain curl do not."""
    accept = next((value for name, value in headers.items() if name.lower() == "accept"), "")
    return any(part.partition(";")[0].strip().lower() == "application/json" for part in accept.split(","))
