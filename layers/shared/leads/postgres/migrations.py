"""Migrate the schema: apply numbered SQL files, each once, in one transaction with its record."""

import hashlib
import re
from importlib.resources import files
from time import monotonic, sleep
from typing import Final, NamedTuple, cast

from leads.errors import DatabaseFault, MigrationFailed, ServiceFault
from leads.postgres.connection import Connection, literal
from leads.postgres.sqlstate import (
    DUPLICATE_FUNCTION,
    DUPLICATE_OBJECT,
    DUPLICATE_TABLE,
    LOCK_NOT_AVAILABLE,
    STATEMENT_TIMEOUT,
)
from leads.postgres.statements import statement

LOCK_WAIT_MILLISECONDS: Final = 5000
"""Time that a migration waits for a lock. Statements that come after it wait behind it for as long."""

LOCK_PAUSE_SECONDS: Final = 5.0
"""Pause between two tries, for the waiting statements. An import may hold its locks for minutes."""

_ALREADY_THERE: Final = (
    ": an object that it creates exists already, and no migration created it. Give the service a database of "
    "its own (DatabaseName). docs/deploy.md explains how to copy leads into it"
)
_HINTS: Final = {
    DUPLICATE_FUNCTION: _ALREADY_THERE,
    DUPLICATE_TABLE: _ALREADY_THERE,
    DUPLICATE_OBJECT: _ALREADY_THERE,
    LOCK_NOT_AVAILABLE: ": its tables stayed locked until the time limit",
    STATEMENT_TIMEOUT: ": it exceeded the time limit",
}

_FILE: Final = re.compile(r"(\d{4})_(\w+)\.sql", re.ASCII)


class Migration(NamedTuple):
    """One step of the schema. The checksum detects a file that was changed after it was applied."""

    version: int
    name: str
    sql: str

    def __str__(self) -> str:
        return f"{self.version:04}_{self.name}"

    @property
    def checksum(self) -> str:
        """The SHA-256 of the file, in hexadecimal digits."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known_migrations() -> list[Migration]:
    """Return the migrations of this code, in order."""
    found = []
    for file in files(__package__).joinpath("migrations").iterdir():
        if match := _FILE.fullmatch(file.name):
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return sorted(found)


def ensure_app_role(connection: Connection, password: str | None) -> None:
    """Create the functions' role if it is missing, and set its limits and its password.

    Without a password, allow the role to log in with IAM tokens. After that no password is accepted (RDS
    user guide). Raises DatabaseFault.
    """
    connection.execute(statement("app_role_create"))
    if password is None:
        connection.execute(statement("app_role_iam"))
    else:
        connection.execute(f"ALTER ROLE leads_app PASSWORD {literal(password)}")


def apply_migrations(connection: Connection, migrations: list[Migration], *, seconds: float) -> list[str]:
    """Apply the migrations that the database lacks, within `seconds`, and return their names.

    Of two programs at the same time, one waits for the other.

    Raises:
        MigrationFailed: A migration failed. The message names it.
        ServiceFault: A migration was changed after it was applied. Add a new one instead.
    """
    deadline = monotonic() + seconds
    return [str(one) for one in migrations if _apply(connection, one, deadline)]


def _apply(connection: Connection, migration: Migration, deadline: float) -> bool:
    """Return True if the migration was applied, False if the database had it.

    If a job holds a lock, try again until the deadline.
    """
    while True:
        try:
            return _try(connection, migration, deadline)
        except DatabaseFault as fault:
            if fault.sqlstate != LOCK_NOT_AVAILABLE or monotonic() + LOCK_PAUSE_SECONDS > deadline:
                hint = _HINTS.get(fault.sqlstate or "", "")
                raise MigrationFailed(f"migration {migration} failed: {fault}{hint}") from fault
        sleep(LOCK_PAUSE_SECONDS)


def _try(connection: Connection, migration: Migration, deadline: float) -> bool:
    with connection.transaction() as transaction:
        # The limit applies to each statement of a migration anew, so a statement that runs long must be a
        # migration of its own. 0 would be no limit.
        remaining_milliseconds = max(1, int((deadline - monotonic()) * 1000))
        connection.execute(
            f"SET LOCAL statement_timeout = {remaining_milliseconds}; "
            f"SET LOCAL lock_timeout = {LOCK_WAIT_MILLISECONDS}"
        )
        connection.query("SELECT pg_advisory_xact_lock(hashtextextended('schema_migration', 0))")
        connection.execute(statement("schema_migration_create"))
        checksum = connection.query_value(
            "SELECT checksum FROM schema_migration WHERE version = :version", version=migration.version
        )
        if checksum is not None:
            if cast(str, checksum) != migration.checksum:
                raise ServiceFault(f"migration {migration} changed after it was applied")
            return False
        connection.execute(migration.sql)
        connection.query(
            statement("schema_migration_record"),
            version=migration.version,
            name=migration.name,
            checksum=migration.checksum,
        )
        transaction.commit()
        return True
