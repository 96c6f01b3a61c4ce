"""The schema's history: numbered SQL files, each applied once, in one transaction with its record."""

import hashlib
import re
from importlib.resources import files
from typing import Final, NamedTuple, cast

from leads.errors import ServiceFault
from leads.postgres.connection import Connection, literal
from leads.postgres.statements import statement

_FILE: Final = re.compile(r"(\d{4})_(\w+)\.sql", re.ASCII)


class Migration(NamedTuple):
    """One step of the schema; the checksum tells whether an applied file was changed later."""

    version: int
    name: str
    sql: str

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
    connection.script(statement("app_role_create"))
    if password is None:
        connection.script("GRANT rds_iam TO leads_app")
    else:
        connection.script(f"ALTER ROLE leads_app PASSWORD {literal(password)}")


def apply_migrations(connection: Connection, migrations: list[Migration]) -> list[str]:
    """Applies what the database has not seen and gives their names. Two at once wait for each other.

    Raises DatabaseFault, or ServiceFault when a migration was changed after it was applied: add a new one
    instead.
    """
    with connection.transaction() as transaction:
        connection.rows("SELECT pg_advisory_xact_lock(hashtextextended('schema_migration', 0))")
        connection.script(statement("schema_migration_create"))
        transaction.commit()
    applied = []
    for migration in migrations:
        with connection.transaction() as transaction:
            connection.rows("SELECT pg_advisory_xact_lock(hashtextextended('schema_migration', 0))")
            checksum = connection.value(
                "SELECT checksum FROM schema_migration WHERE version = :version", version=migration.version
            )
            if checksum is None:
                connection.script(migration.sql)
                connection.rows(
                    statement("schema_migration_record"),
                    version=migration.version,
                    name=migration.name,
                    checksum=migration.checksum,
                )
                transaction.commit()
                applied.append(f"{migration.version:04}_{migration.name}")
            elif cast(str, checksum) != migration.checksum:
                raise ServiceFault(
                    f"migration {migration.version:04}_{migration.name} changed after it was applied"
                )
    return applied
