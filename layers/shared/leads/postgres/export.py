"""The export: one COPY, so one statement and one snapshot, guarded and formatted by Postgres itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from leads.domain.lead_filter import LeadFilter
from leads.postgres.connection import Connection, Sink, literal

_TIMES: Final = frozenset({"created_at", "updated_at"})
_NUMBERS: Final = frozenset({"id", "score"})
_TIME_FORMAT: Final = 'YYYY-MM-DD"T"HH24:MI:SS'


def copy_leads(
    connection: Connection, org_id: str, leads: LeadFilter, columns: Sequence[str], sink: Sink
) -> int:
    """Writes the organisation's leads that the filter selects as CSV with a header line; gives their number.

    Oldest first, then by id. `columns` are names of `EXPORT_COLUMNS`. Runs within the caller's transaction.
    Raises DatabaseFault, and whatever the sink raises, after which the connection is dead.
    """
    query = _query(org_id, leads, columns)
    return connection.copy_out(f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)", sink)


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
    selected = ", ".join(f"{_written(column)} AS {column}" for column in columns)
    where = " AND ".join(conditions)
    return f"SELECT {selected} FROM dossier WHERE {where} ORDER BY dossier.created_at, dossier.id"  # noqa: S608


def _written(column: str) -> str:
    """How a column's value stands in the file."""
    if column in _TIMES:
        return f"to_char({column} AT TIME ZONE 'UTC', '{_TIME_FORMAT}')"
    return column if column in _NUMBERS else f"csv_guard({column})"


def _instant(moment: datetime) -> str:
    return f"timestamptz {literal(moment.isoformat(sep=' ') + '+00')}"
