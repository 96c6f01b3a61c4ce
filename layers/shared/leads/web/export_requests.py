"""Read the query of GET /api/v1/leads/export: which leads, columns and format."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final

from leads.domain.export_job import ExportOrder
from leads.domain.lead import LeadSource, LeadStatus
from leads.domain.lead_filter import DEFAULT_COLUMNS, EXPORT_COLUMNS, LeadFilter
from leads.errors import FieldError, InvalidRequest
from leads.web.parameters import read_choice, read_flag, refuse_unknown

_QUERY: Final = ("status", "source", "startDate", "endDate", "columns", "format", "gzip")
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S"
_TIME_SHAPE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")


class _Format(Enum):
    """Dialect of the CSV file."""

    CSV = "csv"
    EXCEL = "excel"


def read_export_request(query: Mapping[str, str]) -> ExportOrder:
    """Return the filter, columns and format. Raises InvalidRequest, which lists the allowed values."""
    refuse_unknown(query, _QUERY)
    start = _time("startDate", query["startDate"]) if "startDate" in query else None
    end = _time("endDate", query["endDate"]) if "endDate" in query else None
    if start is not None and end is not None and start > end:
        raise InvalidRequest.of([FieldError("startDate", "startDate is after endDate. Correct one of them.")])
    leads = LeadFilter(
        status=read_choice(LeadStatus, "status", query["status"]) if "status" in query else None,
        source=read_choice(LeadSource, "source", query["source"]) if "source" in query else None,
        start=start,
        end=end,
    )
    return ExportOrder(
        leads=leads,
        columns=_columns(query["columns"]) if "columns" in query else DEFAULT_COLUMNS,
        excel="format" in query and read_choice(_Format, "format", query["format"]) is _Format.EXCEL,
        gzip="gzip" in query and read_flag("gzip", query["gzip"]),
    )


def _time(field: str, text: str) -> datetime:
    message = f"Invalid {field} value: {text[:100] or '(empty)'}. "
    # strptime alone also accepts single digits, and digits of other scripts.
    if _TIME_SHAPE.fullmatch(text):
        try:
            return datetime.strptime(text, _TIME_FORMAT)
        except ValueError:
            message += "There is no such day or time."
    else:
        message += "Send it as yyyy-MM-dd'T'HH:mm:ss in UTC, such as 2024-01-15T10:30:00"
    raise InvalidRequest.of([FieldError(field, message)])


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in EXPORT_COLUMNS]
    if unknown:
        listed = ", ".join(name[:100] or "(empty)" for name in unknown[:20])
        message = f"Unknown column: {listed}. Allowed: {', '.join(EXPORT_COLUMNS)}"
        raise InvalidRequest.of([FieldError("columns", message)])
    repeated = [name for name in EXPORT_COLUMNS if names.count(name) > 1]
    if repeated:
        message = f"Repeated column: {', '.join(repeated)}. Name each column once."
        raise InvalidRequest.of([FieldError("columns", message)])
    return names
