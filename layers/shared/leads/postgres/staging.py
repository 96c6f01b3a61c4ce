"""Stage validated rows in a temporary table by COPY, and merge them into dossier set by set.

The outcome of several merges is that of handling the rows one by one in file order.
tests/integration/imports/test_process_import_oracle.py holds that.
"""

from collections.abc import Iterable, Sequence
from typing import Final, cast

from leads.domain.duplicate_hints import DuplicateHints
from leads.domain.merge_strategy import MergeStrategy
from leads.postgres.connection import Connection
from leads.postgres.statements import statement

LEAD_LOCK_TIMEOUT: Final = "120s"
"""Time for a lead that another transaction holds. After it the import is tried again (SQLSTATE 55P03)."""

_SETTINGS: Final = "; ".join(
    (
        # Each merge looks its phones up in the index. As the table grows, the planner would begin to read all
        # of it, once per merge. A bitmap for one lead costs more than the lead.
        *(
            f"SET LOCAL enable_{way} = off"
            for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "memoize")
        ),
        # A custom plan for each run: a generic one searches an array number by number for each row.
        "SET LOCAL plan_cache_mode = force_custom_plan",
        # Compiling a statement takes longer than a merge.
        "SET LOCAL jit = off",
        # The rows of a merge fit. With less memory they go through the server's disk.
        "SET LOCAL temp_buffers = '32MB'",
        "SET LOCAL work_mem = '32MB'",
    )
)

_MERGES: Final = {
    MergeStrategy.SKIP: "merge_skip",
    MergeStrategy.OVERWRITE: "merge_overwrite",
    MergeStrategy.CREATE_NEW: "merge_create_new",
}

MAX_STORED_PHONES: Final = 200_000
"""The number of stored leads up to which their phones are read before the first row.

Reading that many takes a third of a second. With more of them, looking up each row is hardly slower.
"""


class Staging:
    """The staging table of one import, within the import's transaction."""

    def __init__(
        self, connection: Connection, org_id: str, strategy: MergeStrategy, *, created_by: str
    ) -> None:
        self._connection = connection
        self._org_id = org_id
        self._strategy = strategy
        self._created_by = created_by

    def create(self) -> None:
        """Create the table, in the transaction that holds the organisation's lock. Raises DatabaseFault."""
        connection = self._connection
        connection.query("SELECT set_config('lock_timeout', :timeout, true)", timeout=LEAD_LOCK_TIMEOUT)
        connection.execute(_SETTINGS)
        connection.execute(statement("staging_create"))
        if self._strategy is MergeStrategy.OVERWRITE:
            connection.execute(
                'ALTER TABLE staging ADD phone_key text COLLATE "C" '
                "GENERATED ALWAYS AS (phone_key(phone)) STORED"
            )

    def stored_phone_suffixes(self) -> str | None:
        """Return the phone suffixes of the organisation's active leads, for the phone filter.

        None if there are more than MAX_STORED_PHONES leads. Raises DatabaseFault.
        """
        suffixes = self._connection.query_value(
            statement("stored_phone_suffixes"), org_id=self._org_id, max_leads=MAX_STORED_PHONES
        )
        return cast("str | None", suffixes)

    def add(self, fields: Sequence[str], blocks: Iterable[bytes]) -> None:
        """Add rows to the next merge: each block holds rows of these fields, written by `copy_text`.

        Raises DatabaseFault.
        """
        self._connection.copy_in(
            f"COPY staging (row_number, {', '.join(fields)}) FROM STDIN (NULL '')", blocks
        )

    def merge(self, hints: DuplicateHints | None) -> list[int]:
        """Merge the staged rows into the organisation's leads and empty the table.

        SKIP leaves out the duplicates among the hints' possible ones, or among all rows without hints.
        Returns the numbers of the skipped rows, in order. Raises DatabaseFault.
        """
        values: dict[str, object] = {"org_id": self._org_id, "created_by": self._created_by}
        skipped: list[int] = []
        if self._strategy is MergeStrategy.SKIP:
            if hints is None or hints.possible_duplicates:
                skipped = self._duplicates(hints)
            values["skipped"] = _array(skipped)
        self._connection.query_prepared(statement(_MERGES[self._strategy]), **values)
        self._connection.execute("TRUNCATE staging")
        return skipped

    def _duplicates(self, hints: DuplicateHints | None) -> list[int]:
        candidates = None if hints is None else _array(hints.possible_duplicates + hints.earlier_rows)
        ((found,),) = self._connection.query_prepared(
            statement("staging_duplicates"), org_id=self._org_id, candidates=candidates
        )
        rows = set(map(int, cast(str, found).split(","))) if found else set()
        # Another program may have stored an earlier row's phone since the stored phones were read.
        return sorted(rows if hints is None else rows.intersection(hints.possible_duplicates))


def _array(rows: Sequence[int]) -> str:
    """Write an array as Postgres reads it: the driver would convert a long list item by item."""
    return f"{{{','.join(map(str, rows))}}}"
