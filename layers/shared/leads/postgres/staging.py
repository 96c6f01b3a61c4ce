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


KNOWN_LEADS: Final = 200_000
"""Leads whose phones are read before the first row: that takes a third of a second. With more of them looking
each row up is hardly slower.
"""


def begin_staging(connection: Connection, org_id: str, strategy: MergeStrategy) -> None:
    """Waits for the organisation's other imports, so that SKIP makes no doubles between them, and makes the
    table.
    """
    connection.rows("SELECT set_config('lock_timeout', :wait, true)", wait=IMPORT_WAIT)
    connection.rows("SELECT pg_advisory_xact_lock(hashtextextended(:org, 1))", org=org_id)
    connection.script(_SETTINGS)
    connection.script(statement("staging_create"))
    if strategy is MergeStrategy.OVERWRITE:
        connection.script(
            'ALTER TABLE staging ADD phone_key text COLLATE "C" GENERATED ALWAYS AS (phone_key(phone)) STORED'
        )


def stored_tails(connection: Connection, org_id: str) -> str | None:
    """What SeenPhones begins with, or None when the organisation has more than KNOWN_LEADS active leads.

    Raises DatabaseFault.
    """
    return cast("str | None", connection.value(statement("stored_tails"), org_id=org_id, most=KNOWN_LEADS))


def stage(connection: Connection, fields: Sequence[str], block: bytes) -> None:
    """Adds rows, `copy_text` of these fields, to those that wait for the next merge. Raises DatabaseFault."""
    connection.copy_in(f"COPY staging (row_number, {', '.join(fields)}) FROM STDIN (NULL '')", [block])


def merge(
    connection: Connection,
    org_id: str,
    strategy: MergeStrategy,
    created_by: str,
    candidates: Sequence[int] | None,
) -> list[int]:
    """Merges the staged rows into the organisation's leads and empties the table.

    For SKIP duplicates and what they are duplicates of are among the `candidates`, or stored; None for all.
    Gives the numbers of the rows that SKIP left out, in order. Raises DatabaseFault.
    """
    values: dict[str, object] = {"org_id": org_id, "created_by": created_by}
    skipped: list[int] = []
    if strategy is MergeStrategy.SKIP:
        if candidates is None or candidates:
            skipped = _duplicates(connection, org_id, candidates)
        values["skipped"] = _array(skipped)
    connection.rows(statement(_MERGES[strategy]), **values)
    connection.script("TRUNCATE staging")
    return skipped


def _duplicates(connection: Connection, org_id: str, candidates: Sequence[int] | None) -> list[int]:
    found = connection.value(
        statement("staging_duplicates"),
        org_id=org_id,
        candidates=None if candidates is None else _array(candidates),
    )
    return sorted(map(int, cast(str, found).split(","))) if found else []


def _array(rows: Sequence[int]) -> str:
    """An array as Postgres reads it: thousands of numbers as a list would be taken apart one by one."""
    return f"{{{','.join(map(str, rows))}}}"
