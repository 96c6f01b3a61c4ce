"""Validated rows on their way into dossier: staged in a temporary table by COPY, then merged set by set.

Runs within the transaction of one import. The outcome of merging the rows of several merges is that of
handling them one by one in file order, which tests/integration/imports/test_process_import_oracle.py shows.
"""

from collections.abc import Iterable, Sequence
from typing import Final, cast

from leads.domain.duplicate_hints import DuplicateHints
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import DatabaseFault, OrganisationBusy
from leads.postgres.connection import Connection
from leads.postgres.sqlstate import LOCK_NOT_AVAILABLE
from leads.postgres.statements import statement

LEADS_WAIT: Final = "120s"
"""How long an import waits for a lead that somebody else holds; then it is tried again (55P03)."""

_SETTINGS: Final = "; ".join(
    (
        # Each merge looks its phones up in the index. As the table grows, the planner would come to think
        # that reading all of it is cheaper, once for each merge. A bitmap for one lead costs more than it.
        *(
            f"SET LOCAL enable_{way} = off"
            for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "memoize")
        ),
        # Planned for their values, though they are prepared: only then arrays are looked up by hash, and not
        # number by number for each row.
        "SET LOCAL plan_cache_mode = force_custom_plan",
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


def try_lock(connection: Connection, org_id: str) -> bool:
    """Takes the organisation's turn, so that SKIP makes no doubles between its imports; False when another
    one has it or waits for it. Raises DatabaseFault.
    """
    return cast(
        bool,
        connection.query_value("SELECT pg_try_advisory_xact_lock(hashtextextended(:org, 1))", org=org_id),
    )


def wait_for_lock(connection: Connection, org_id: str, seconds: float) -> None:
    """Takes the organisation's turn when those that came before have had theirs. Raises OrganisationBusy when
    that takes longer, DatabaseFault.
    """
    limit = str(max(1, int(seconds * 1000)))
    connection.query("SELECT set_config('lock_timeout', :limit, true)", limit=limit)
    try:
        connection.query("SELECT pg_advisory_xact_lock(hashtextextended(:org, 1))", org=org_id)
    except DatabaseFault as fault:
        if fault.sqlstate == LOCK_NOT_AVAILABLE:
            raise OrganisationBusy("other imports of the organisation were under way all the time") from fault
        raise


def begin_staging(connection: Connection, strategy: MergeStrategy) -> None:
    """Makes the table, in the transaction that has its organisation's turn."""
    connection.query("SELECT set_config('lock_timeout', :wait, true)", wait=LEADS_WAIT)
    connection.execute(_SETTINGS)
    connection.execute(statement("staging_create"))
    if strategy is MergeStrategy.OVERWRITE:
        connection.execute(
            'ALTER TABLE staging ADD phone_key text COLLATE "C" GENERATED ALWAYS AS (phone_key(phone)) STORED'
        )


def stored_phone_suffixes(connection: Connection, org_id: str) -> str | None:
    """What PhoneFilter begins with, or None when the organisation has more than KNOWN_LEADS active leads.

    Raises DatabaseFault.
    """
    return cast(
        "str | None",
        connection.query_value(statement("stored_phone_suffixes"), org_id=org_id, most=KNOWN_LEADS),
    )


def stage(connection: Connection, fields: Sequence[str], blocks: Iterable[bytes]) -> None:
    """Adds rows to those that wait for the next merge, each block some of them as `copy_text` of these
    fields. Raises DatabaseFault.
    """
    connection.copy_in(f"COPY staging (row_number, {', '.join(fields)}) FROM STDIN (NULL '')", blocks)


def merge(
    connection: Connection,
    org_id: str,
    strategy: MergeStrategy,
    created_by: str,
    suspicion: DuplicateHints | None,
) -> list[int]:
    """Merges the staged rows into the organisation's leads and empties the table.

    SKIP leaves out suspects only, or of all rows when there is no `suspicion`; what repeats a phone is not
    to be staged. Gives the numbers of the rows that it left out, in order. Raises DatabaseFault.
    """
    values: dict[str, object] = {"org_id": org_id, "created_by": created_by}
    skipped: list[int] = []
    if strategy is MergeStrategy.SKIP:
        if suspicion is None or suspicion.possible_duplicates:
            skipped = _duplicates(connection, org_id, suspicion)
        values["skipped"] = _array(skipped)
    connection.query_prepared(statement(_MERGES[strategy]), **values)
    connection.execute("TRUNCATE staging")
    return skipped


def _duplicates(connection: Connection, org_id: str, suspicion: DuplicateHints | None) -> list[int]:
    ((found,),) = connection.query_prepared(
        statement("staging_duplicates"),
        org_id=org_id,
        candidates=None
        if suspicion is None
        else _array(suspicion.possible_duplicates + suspicion.earlier_rows),
    )
    rows = set(map(int, cast(str, found).split(","))) if found else set()
    # An original's phone may have been stored by somebody else since it was asked which ones are.
    return sorted(rows if suspicion is None else rows.intersection(suspicion.possible_duplicates))


def _array(rows: Sequence[int]) -> str:
    """An array as Postgres reads it: thousands of numbers as a list would be taken apart one by one."""
    return f"{{{','.join(map(str, rows))}}}"
