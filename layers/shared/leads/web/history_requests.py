"""What the histories of imports and exports are asked: a page of jobs, or one of them."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from leads.domain.job_page import JobPage
from leads.domain.job_status import JobStatus
from leads.errors import FieldError, InvalidRequest, NotFound
from leads.web.parameters import choice, refuse_unknown

LIMIT: Final = 1000
"""Jobs in one answer, by default and at the most (our API)."""

HISTORY_PATH: Final = "/api/v1/leads/import/history"
EXPORT_PATH: Final = "/api/v1/leads/export"
EXPORT_HISTORY_PATH: Final = f"{EXPORT_PATH}/history"

_QUERY: Final = ("limit", "cursor", "status")
_LARGEST_ID: Final = 2**63 - 1


def next_link(path: str, page: JobPage, next_before: int | None) -> dict[str, str]:
    """Return the header that points from a page to the next one (RFC 8288), if there is one."""
    if next_before is None:
        return {}
    query: dict[str, str | int] = {"limit": page.limit, "cursor": _cursor(next_before)}
    if page.status is not None:
        query["status"] = page.status.value
    return {"Link": f'<{path}?{urlencode(query)}>; rel="next"'}


def read_history_request(query: Mapping[str, str]) -> JobPage:
    """Raises InvalidRequest."""
    refuse_unknown(query, _QUERY)
    limit = LIMIT
    if "limit" in query:
        if not re.fullmatch("[0-9]{1,4}", query["limit"]) or not 1 <= int(query["limit"]) <= LIMIT:
            raise InvalidRequest.of([FieldError("limit", f"limit must be a number from 1 to {LIMIT}.")])
        limit = int(query["limit"])
    return JobPage(
        limit=limit,
        before=_read_cursor(query["cursor"]) if "cursor" in query else None,
        status=choice(JobStatus, "status", query["status"]) if "status" in query else None,
    )


def read_job_id(text: str, kind: str) -> int:
    """The id of an `import` or `export`. Raises InvalidRequest when it is no number, NotFound when no job can
    have it.
    """
    if not re.fullmatch("[0-9]+", text):
        raise InvalidRequest.of(
            [FieldError("id", f"The {kind}'s id must be a number, as the {kind} answered it.")]
        )
    # Without its zeros 20 digits are too many already; int takes only 4,300.
    id = int(text.lstrip("0")[:20] or "0")
    if id > _LARGEST_ID:
        raise NotFound(f"There is no {kind} {text[:100]}.")
    return id


def _cursor(before: int) -> str:
    return base64.urlsafe_b64encode(str(before).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        if re.fullmatch("[0-9]{1,19}", text):
            return min(int(text), _LARGEST_ID)
    except (binascii.Error, ValueError):
        pass
    raise InvalidRequest.of(
        [FieldError("cursor", "Invalid cursor: take it from the Link header of the page before.")]
    )
