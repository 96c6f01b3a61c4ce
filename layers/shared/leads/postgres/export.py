"""Export leads by one COPY: one statement, one snapshot, guarded and formatted by Postgres itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from leads.domain.export_job import ExportOrder
from leads.domain.lead_filter import LeadFilter
from leads.postgres.connection import Connection, Sink, literal

_TIME_COLUMNS: Final = frozenset({"created_at", "updated_at"})
_SAFE_COLUMNS: Final = frozenset({"id", "score", "status", "source"})
"""Columns of numbers, or of words from a list that a constraint checks: none can be a formula."""


def copy_leads(connection: Connection, org_id: str, order: ExportOrder, sink: Sink) -> int:
    """Write the leads that the order selects to the sink, as CSV with a header line; return their number.

    The oldest comes first, then the lowest id. It runs in the transaction under way. An error of the sink is
    raised on, and closes the connection. Raises DatabaseFault.
    """
    query = _query(org_id, order.leads, order.columns)
    delimiter = ";" if order.excel else ","
    # The server may be set to another style of writing times as text.
    connection.execute("SET LOCAL DateStyle = 'ISO'")
    return connection.copy_out(
        f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER, DELIMITER '{delimiter}')", sink
    )


def _query(org_id: str, leads: LeadFilter, columns: Sequence[str]) -> str:
    """Build the SELECT with its values as literals, which the driver writes: COPY has no parameters."""
    conditions = [f"org_id = {literal(org_id)}"]
    if leads.status is not None:
        conditions.append(f"status = {literal(leads.status.value)}")
    if leads.source is not None:
        conditions.append(f"source = {literal(leads.source.value)}")
    if leads.start is not None:
        conditions.append(f"created_at >= {_instant(leads.start)}")
    if leads.end is not None:
        # Postgres adds the second, because its calendar goes beyond Python's: 9999-12-31T23:59:59 often means
        # "no end".
        conditions.append(f"created_at < {_instant(leads.end)} + interval '1 second'")
    # Columns come from a fixed list and values from the driver's `literal`: no text is the caller's.
    selected = ", ".join(f"{_expression(column)} AS {column}" for column in columns)
    where = " AND ".join(conditions)
    return f"SELECT {selected} FROM dossier WHERE {where} ORDER BY dossier.created_at, dossier.id"  # noqa: S608


def _expression(column: str) -> str:
    """Return the SQL that writes a column's value as the file has it."""
    if column in _TIME_COLUMNS:
        # It costs half as much as to_char. Whole seconds have no fraction in text, so nothing is rounded.
        text = f"replace(CAST(date_trunc('second', {column} AT TIME ZONE 'UTC') AS text), ' ', 'T')"
        return f"CASE WHEN isfinite({column}) THEN {text} END"
    if column == "phone":
        # A phone often begins with a +, like a formula. One that equals its key is + and digits: no formula.
        return "CASE WHEN phone = phone_key THEN phone ELSE csv_guard(phone) END"
    return column if column in _SAFE_COLUMNS else f"csv_guard({column})"


def _instant(moment: datetime) -> str:
    return f"timestamptz {literal(moment.isoformat(sep=' ') + '+00')}"
