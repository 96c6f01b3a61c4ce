"""The export: one COPY, so one statement and one snapshot, guarded and formatted by Postgres itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from leads.domain.export_job import ExportOrder
from leads.domain.lead_filter import LeadFilter
from leads.postgres.connection import Connection, Sink, literal

_TIMES: Final = frozenset({"created_at", "updated_at"})
_SAFE: Final = frozenset({"id", "score", "status", "source"})
"""Numbers, and words of lists that the table checks: nothing in them is a formula."""


def copy_leads(connection: Connection, org_id: str, order: ExportOrder, sink: Sink) -> int:
    """Writes the organisation's leads that the order selects as CSV with a header line; gives their number.

    Oldest first, then by id. Runs within the caller's transaction. Raises DatabaseFault, and whatever the
    sink raises, after which the connection is dead.
    """
    query = _query(org_id, order.leads, order.columns)
    delimiter = ";" if order.excel else ","
    # Of how a time is written as text; a server may be set to another style.
    connection.execute("SET LOCAL DateStyle = 'ISO'")
    return connection.copy_out(
        f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER, DELIMITER '{delimiter}')", sink
    )


def _query(org_id: str, leads: LeadFilter, columns: Sequence[str]) -> str:
    """The SELECT, its values written as literals by the driver: COPY takes no parameters."""
    conditions = [f"org_id = {literal(org_id)}"]
    if leads.status is not None:
        conditions.append(f"status = {literal(leads.status.value)}")
    if leads.source is not None:
        conditions.append(f"source = {literal(leads.source.value)}")
    if leads.start is not None:
        conditions.append(f"created_at >= {_instant(leads.start)}")
    if leads.end is not None:
        # Added by Postgres, whose calendar goes beyond Python's: 9999-12-31T23:59:59 is a usual "no end".
        conditions.append(f"created_at < {_instant(leads.end)} + interval '1 second'")
    # Columns are of our own list and values the driver's literals: nothing of it is the caller's text.
    selected = ", ".join(f"{_written(column)} AS {column}" for column in columns)
    where = " AND ".join(conditions)
    return f"SELECT {selected} FROM dossier WHERE {where} ORDER BY dossier.created_at, dossier.id"  # noqa: S608  # nosec B608


def _written(column: str) -> str:
    """How a column's value stands in the file."""
    if column in _TIMES:
        # Half of what to_char costs. Whole seconds have no fraction in text, so nothing is rounded.
        text = f"replace(CAST(date_trunc('second', {column} AT TIME ZONE 'UTC') AS text), ' ', 'T')"
        return f"CASE WHEN isfinite({column}) THEN {text} END"
    if column == "phone":
        # Most begin with a + like a formula; one that is its own key, digits after a +, is none.
        return "CASE WHEN phone = phone_key THEN phone ELSE csv_guard(phone) END"
    return column if column in _SAFE else f"csv_guard({column})"


def _instant(moment: datetime) -> str:
    return f"timestamptz {literal(moment.isoformat(sep=' ') + '+00')}"
