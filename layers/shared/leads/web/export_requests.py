"""What GET /api/v1/leads/export is asked: which leads, which columns."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final

from leads.domain.export_job import ExportOrder
from leads.domain.lead import LeadSource, LeadStatus
from leads.domain.lead_filter import DEFAULT_COLUMNS, EXPORT_COLUMNS, LeadFilter
from leads.errors import FieldError, InvalidRequest
from leads.web.parameters import choice, flag, refuse_unknown

_QUERY: Final = ("status", "source", "startDate", "endDate", "columns", "format", "gzip")
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S"
_TIME_SHAPE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")


class _Format(Enum):
    """How the file is written."""

    CSV = "csv"
    EXCEL = "excel"


def read_export_request(query: Mapping[str, str]) -> ExportOrder:
    """The filter, the columns and the format. Raises InvalidRequest, which lists what is allowed."""
    refuse_unknown(query, _QUERY)
    start = _time("startDate", query["startDate"]) if "startDate" in query else None
    end = _time("endDate", query["endDate"]) if "endDate" in query else None
    if start is not None and end is not None and start > end:
        raise InvalidRequest.of([FieldError("startDate", "startDate is after endDate.")])
    leads = LeadFilter(
        status=choice(LeadStatus, "status", query["status"]) if "status" in query else None,
        source=choice(LeadSource, "source", query["source"]) if "source" in query else None,
        start=start,
        end=end,
    )
    return ExportOrder(
        leads=leads,
        columns=_columns(query["columns"]) if "columns" in query else DEFAULT_COLUMNS,
        excel="format" in query and choice(_Format, "format", query["format"]) is _Format.EXCEL,
        gzip="gzip" in query and flag("gzip", query["gzip"]),
    )


def _time(field: str, text: str) -> datetime:
    message = f"Invalid {field} value: {text[:100] or '(empty)'}. "
    # strptime alone would also take digits left out, and those of other scripts.
    if _TIME_SHAPE.fullmatch(text):
        try:
            return datetime.strptime(text, _TIME_FORMAT)
        except ValueError:
            message += "There is no such day or time."
    else:
        message += "Give it as yyyy-MM-dd'T'HH:mm:ss in UTC: 2024-01-15T10:30:00"
    raise InvalidRequest.of([FieldError(field, message)])


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in EXPORT_COLUMNS]
    if unknown:
        shown = ", ".join(name[:100] or "(empty)" for name in unknown[:20])
        message = f"Unknown column: {shown}. Allowed: {', '.join(EXPORT_COLUMNS)}"
        raise InvalidRequest.of([FieldError("columns", message)])
    if len(set(names)) < len(names):
        raise InvalidRequest.of([FieldError("columns", "Name each column once.")])
    return names
