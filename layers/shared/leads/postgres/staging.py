"""Validated rows on their way into dossier: staged in a temporary table by COPY, then merged set by set.

Runs within the transaction of one import. The outcome of merging the rows of several merges is that of
handling them one by one in file order; tests/integration/test_process_import_oracle.py holds it to that.
"""

from collections.abc import Sequence
from typing import Final, cast

from leads.domain.merge_strategy import MergeStrategy
from leads.postgres.connection import Connection
from leads.postgres.statements import statement

IMPORT_WAIT: Final = "120s"
"""How long an import waits for another one of its organisation; then it is tried again, as for any lock
(55P03).
"""

_SETTINGS: Final = "; ".join(
    (
        # Each merge looks its phones up in the index. As the table grows, the planner would come to think
        # that reading all of it is cheaper, once for each merge. A bitmap for one lead costs more than it.
        *(
            f"SET LOCAL enable_{way} = off"
            for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "memoize")
        ),
        # Compiling takes longer than a merge does.
        "SET LOCAL jit = off",
        # As much as the rows of a merge take; with less they go through the server's disk.
        "SET LOCAL temp_buffers = '32MB'",
        "SET LOCAL work_mem = '32MB'",
    )
)

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
    connection.script(_SETTINGS)
    connection.script(statement("staging_create"))


def stage(connection: Connection, fields: Sequence[str], block: bytes) -> None:
    """Adds rows, `copy_text` of these fields, to those that wait for the next merge. Raises DatabaseFault."""
    connection.copy_in(f"COPY staging (row_number, {', '.join(fields)}) FROM STDIN (NULL '')", [block])


def merge(connection: Connection, org_id: str, strategy: MergeStrategy, created_by: str) -> list[int]:
    """Merges the staged rows into the organisation's leads and empties the table.

    Gives the numbers of the rows that SKIP left out, in order. Raises DatabaseFault.
    """
    values: dict[str, object] = {"org_id": org_id, "created_by": created_by}
    skipped: list[int] = []
    if strategy is MergeStrategy.SKIP:
        found = cast("str | None", connection.value(statement("staging_duplicates"), org_id=org_id)) or ""
        values["skipped"] = f"{{{found}}}"
        skipped = sorted(map(int, found.split(","))) if found else []
    connection.rows(statement(_MERGES[strategy]), **values)
    connection.script("TRUNCATE staging")
    return skipped
