"""Bring the database to the schema of this code."""

from time import monotonic, sleep
from typing import Final

from leads.errors import DatabaseFault
from leads.observability import logger
from leads.postgres.connection import Connection, Database
from leads.postgres.migrations import apply_migrations, ensure_app_role, known_migrations

LOGIN_WAIT_SECONDS: Final = 60.0
"""Time for a new role's rights (else SQLSTATE class 28) and a new cluster's name to become known.

A first deployment creates both just before, and must not be rolled back for that.
"""

LOGIN_PAUSE_SECONDS: Final = 2.0
"""Pause between two logins."""


def migrate_database(database: Database, *, app_password: str | None, seconds: float) -> list[str]:
    """Create the functions' role, apply every migration that the database lacks, and return their names.

    It runs as the owner of the database and takes `seconds` at most. Without a password the functions' role
    logs in with IAM tokens.

    Raises:
        DatabaseFault: Postgres failed.
        ServiceFault: A migration failed. The database is as the last whole migration left it.
    """
    deadline = monotonic() + seconds
    with _log_in(database, min(deadline, monotonic() + LOGIN_WAIT_SECONDS)) as connection:
        ensure_app_role(connection, app_password)
        return apply_migrations(connection, known_migrations(), seconds=deadline - monotonic())


def _log_in(database: Database, deadline: float) -> Connection:
    while True:
        try:
            return database.connect()
        except DatabaseFault as fault:
            if not fault.transient or monotonic() + LOGIN_PAUSE_SECONDS > deadline:
                raise
            logger.warning("no login yet", fault=str(fault))
        sleep(LOGIN_PAUSE_SECONDS)
