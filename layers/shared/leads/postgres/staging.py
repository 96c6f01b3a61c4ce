"""Validated rows on their way into dossier: staged in a temporary table by COPY, then merged set by set.

Runs within the transaction of one import. The outcome of merging chunk after chunk is that of handling the
rows one by one in file order; tests/integration/test_process_import_oracle.py holds it to that.
"""

import csv
import io
from collections.abc import Sequence
from typing import Final, cast

from leads.domain.lead import FIELDS, LeadRow
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

_COPY: Final = f"COPY staging (row_number, {', '.join(FIELDS)}) FROM STDIN (FORMAT csv)"
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


def merge(
    connection: Connection,
    org_id: str,
    rows: Sequence[tuple[int, LeadRow]],
    strategy: MergeStrategy,
    created_by: str,
) -> int:
    """Merges the rows, each with its number, into the organisation's leads; gives how many were not
    skipped.
    """
    if not rows:
        return 0
    connection.script("TRUNCATE staging")
    connection.copy_in(_COPY, [_csv(rows)])
    sql = statement(_MERGES[strategy])
    if strategy is MergeStrategy.SKIP:
        return cast(int, connection.value(sql, org_id=org_id, created_by=created_by))
    connection.rows(sql, org_id=org_id, created_by=created_by)
    return len(rows)


def _csv(rows: Sequence[tuple[int, LeadRow]]) -> bytes:
    """Rows for COPY; an empty cell is NULL."""
    text = io.StringIO()
    # Lines end with CRLF because only then csv quotes a cell that holds a lone CR, which COPY would refuse.
    csv.writer(text, lineterminator="\r\n").writerows((row, *lead) for row, lead in rows)
    return text.getvalue().encode()
