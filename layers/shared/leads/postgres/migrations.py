"""The schema's history: numbered SQL files, each applied once, in one transaction with its record."""

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

LOCK_WAIT: Final = 5000
"""Milliseconds that a migration waits for a lock: whoever comes after it waits behind it."""

LOCK_PAUSE: Final = 5.0
"""Seconds in which those who waited get on, before the migration asks again. An import may hold its locks for
minutes.
"""

_ALREADY_THERE: Final = (
    ": what it makes is there already, and no migration made it. Give the service a database of its own "
    "(DatabaseName); docs/deploy.md says how leads get there"
)
_HINTS: Final = {
    DUPLICATE_FUNCTION: _ALREADY_THERE,
    DUPLICATE_TABLE: _ALREADY_THERE,
    DUPLICATE_OBJECT: _ALREADY_THERE,
    LOCK_NOT_AVAILABLE: ": its tables were locked all the time",
    STATEMENT_TIMEOUT: ": it took too long",
}

_FILE: Final = re.compile(r"(\d{4})_(\w+)\.sql", re.ASCII)


class Migration(NamedTuple):
    """One step of the schema; the checksum tells whether an applied file was changed later."""

    version: int
    name: str
    sql: str

    def __str__(self) -> str:
        return f"{self.version:04}_{self.name}"

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known_migrations() -> list[Migration]:
    """The migrations of this code, in order."""
    found = []
    for file in files(__package__).joinpath("migrations").iterdir():
        if match := _FILE.fullmatch(file.name):
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return sorted(found)


def ensure_app_role(connection: Connection, password: str | None) -> None:
    """Makes the functions' role where it is missing, and gives it its limits and this password; with None,
    the right to log in with IAM tokens, after which no password lets it in (RDS user guide).
    """
    connection.execute(statement("app_role_create"))
    if password is None:
        connection.execute(statement("app_role_iam"))
    else:
        connection.execute(f"ALTER ROLE leads_app PASSWORD {literal(password)}")


def apply_migrations(connection: Connection, migrations: list[Migration], *, seconds: float) -> list[str]:
    """Applies what the database has not seen and gives their names. Two at once wait for each other.

    It takes `seconds` at most. Raises MigrationFailed, which names the migration, and ServiceFault when one
    was changed after it was applied: add a new one instead.
    """
    deadline = monotonic() + seconds
    return [str(one) for one in migrations if _apply(connection, one, deadline)]


def _apply(connection: Connection, migration: Migration, deadline: float) -> bool:
    """Whether the migration was still to do. What is locked by a job is tried again until the deadline."""
    while True:
        try:
            return _try(connection, migration, deadline)
        except DatabaseFault as fault:
            if fault.sqlstate != LOCK_NOT_AVAILABLE or monotonic() + LOCK_PAUSE > deadline:
                hint = _HINTS.get(fault.sqlstate or "", "")
                raise MigrationFailed(f"migration {migration} failed: {fault}{hint}") from fault
        sleep(LOCK_PAUSE)


def _try(connection: Connection, migration: Migration, deadline: float) -> bool:
    with connection.transaction() as transaction:
        # The server stops a statement for which there is no time; 0 would be no limit. Each statement of a
        # migration has it anew, so one that takes long is a migration of its own.
        left = max(1, int((deadline - monotonic()) * 1000))
        connection.execute(f"SET LOCAL statement_timeout = {left}; SET LOCAL lock_timeout = {LOCK_WAIT}")
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
