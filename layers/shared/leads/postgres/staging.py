"""Validated rows on their way into dossier: staged in a temporary table by COPY, then merged set by set.

Runs within the transaction of one import. The outcome of merging chunk after chunk is that of handling the
rows one by one in file order; tests/integration/test_process_import_oracle.py holds it to that.
"""

from collections.abc import Sequence
from typing import Final, cast

from leads.domain.lead import LeadCells
from leads.domain.merge_strategy import MergeStrategy
from leads.postgres.connection import Connection
from leads.postgres.statements import statement

IMPORT_WAIT: Final = "120s"
"""How long an import waits for another one of its organisation; then it is tried again, as for any lock
(55P03).
"""

# Each chunk looks its few thousand phones up in the index. As the table grows, the planner would come to
# think that reading all of it is cheaper, once for each chunk.
_ONE_PLAN: Final = "; ".join(
    f"SET LOCAL enable_{way} = off" for way in ("seqscan", "hashjoin", "mergejoin", "material", "memoize")
)

# COPY's text format marks ends with tabs and line breaks and escapes with backslashes (PostgreSQL, COPY).
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

_MERGES: Final = {
    MergeStrategy.SKIP: "merge_skip",
    MergeStrategy.OVERWRITE: "merge_overwrite",
    MergeStrategy.CREATE_NEW: "merge_create_new",
}


def begin_staging(connection: Connection, org_id: str) -> None:
    """Waits for the organisation's other imports, so that SKIP makes no doubles between them, and makes the
    table.
    """
    connection.rows("SELECT set_config('lock_timeout', :wait, true)", wait=IMPORT_WAIT)
    connection.rows("SELECT pg_advisory_xact_lock(hashtextextended(:org, 1))", org=org_id)
    connection.script(statement("staging_create"))
    connection.script(_ONE_PLAN)


def copy_block(leads: Sequence[LeadCells | None]) -> bytes:
    """The leads of a chunk, each with its position in it, as COPY reads them; an empty cell is NULL."""
    rows = [(str(at), *cells) for at, cells in enumerate(leads) if cells is not None]
    if not rows:
        return b""
    text = "\n".join(map("\t".join, rows))
    marks = (text.count("\n"), text.count("\t"), "\\" in text, "\r" in text)
    if marks != (len(rows) - 1, len(rows) * (len(rows[0]) - 1), False, False):
        text = "\n".join("\t".join(cell.translate(_ESCAPES) for cell in row) for row in rows)
    return text.encode()


def merge(
    connection: Connection,
    org_id: str,
    fields: Sequence[str],
    block: bytes,
    strategy: MergeStrategy,
    created_by: str,
) -> int | None:
    """Merges a `copy_block` of these fields into the organisation's leads.

    Gives the number of new leads under SKIP; else None, for no lead was skipped. Raises DatabaseFault.
    """
    connection.script("TRUNCATE staging")
    connection.copy_in(f"COPY staging (row_number, {', '.join(fields)}) FROM STDIN (NULL '')", [block])
    sql = statement(_MERGES[strategy])
    if strategy is MergeStrategy.SKIP:
        return cast(int, connection.value(sql, org_id=org_id, created_by=created_by))
    connection.rows(sql, org_id=org_id, created_by=created_by)
    return None
