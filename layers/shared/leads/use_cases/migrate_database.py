"""Brings the database to the schema of this code."""

from leads.postgres.connection import Database
from leads.postgres.migrations import apply_migrations, ensure_app_role, known_migrations


def migrate_database(database: Database, *, app_password: str | None, seconds: float) -> list[str]:
    """Makes the functions' role, then applies every migration the database has not seen; gives their names.

    Run as the owner. Without a password the functions' role logs in with IAM tokens. It has `seconds`. Raises
    DatabaseFault or ServiceFault: then the database is as the last whole migration left it.
    """
    with database.connect() as connection:
        ensure_app_role(connection, app_password)
        return apply_migrations(connection, known_migrations(), seconds=seconds)
