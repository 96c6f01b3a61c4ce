"""Read requests for the histories of imports and exports: a page of jobs, or one job."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from leads.domain.job_page import JobPage
from leads.domain.job_status import JobStatus
from leads.errors import FieldError, InvalidRequest, NotFound
from leads.web.parameters import read_choice, refuse_unknown

MAX_JOBS: Final = 1000
"""Highest number of jobs in one answer, and the default.

Clients of the API rely on it. With less, a client that follows no links misses jobs. With more, an answer
comes closer to Lambda's limit of 6 MB.
"""

HISTORY_PATH: Final = "/api/v1/leads/import/history"
EXPORT_PATH: Final = "/api/v1/leads/export"
EXPORT_HISTORY_PATH: Final = f"{EXPORT_PATH}/history"

_QUERY: Final = ("limit", "cursor", "status")

_MAX_ID: Final = 2**63 - 1
"""The largest bigint: Postgres refuses a higher id with an error."""


def next_link(path: str, page: JobPage, next_before: int | None) -> dict[str, str]:
    """Return the Link header from a page to the next one (RFC 8288), or no header on the last page."""
    if next_before is None:
        return {}
    query: dict[str, str | int] = {"limit": page.limit, "cursor": _cursor(next_before)}
    if page.status is not None:
        query["status"] = page.status.value
    return {"Link": f'<{path}?{urlencode(query)}>; rel="next"'}


def read_history_request(query: Mapping[str, str]) -> JobPage:
    """Return the requested page of jobs. Raises InvalidRequest."""
    refuse_unknown(query, _QUERY)
    limit = MAX_JOBS
    if "limit" in query:
        if not re.fullmatch("[0-9]{1,4}", query["limit"]) or not 1 <= int(query["limit"]) <= MAX_JOBS:
            raise InvalidRequest.of([FieldError("limit", f"limit must be a number from 1 to {MAX_JOBS}.")])
        limit = int(query["limit"])
    return JobPage(
        limit=limit,
        before=_read_cursor(query["cursor"]) if "cursor" in query else None,
        status=read_choice(JobStatus, "status", query["status"]) if "status" in query else None,
    )


def read_job_id(text: str, kind: str) -> int:
    """Return the id of an `import` or `export`.

    Raises:
        InvalidRequest: The id is no number.
        NotFound: The number is higher than any job's id.
    """
    if not re.fullmatch("[0-9]+", text):
        message = f"The {kind} id must be a number. Use the id that the API returned for the {kind}."
        raise InvalidRequest.of([FieldError("id", message)])
    # int refuses more than 4,300 digits. Without leading zeros, 20 digits already exceed every id.
    id = int(text.lstrip("0")[:20] or "0")
    if id > _MAX_ID:
        raise NotFound(f"There is no {kind} {text[:100]}.")
    return id


def _cursor(before: int) -> str:
    return base64.urlsafe_b64encode(str(before).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        if re.fullmatch("[0-9]{1,19}", text):
            return min(int(text), _MAX_ID)
    except (binascii.Error, ValueError):
        pass
    message = "Invalid cursor. Use the one in the Link header of the previous page."
    raise InvalidRequest.of([FieldError("cursor", message)])
