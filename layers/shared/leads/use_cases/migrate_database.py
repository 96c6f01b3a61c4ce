"""Brings the database to the schema of this code."""

from time import monotonic, sleep
from typing import Final

from leads.errors import DatabaseFault
from leads.observability import logger
from leads.postgres.connection import Connection, Database
from leads.postgres.migrations import apply_migrations, ensure_app_role, known_migrations

LOGIN_WAIT: Final = 60.0
"""Seconds in which a new role's rights (else class 28, invalid authorization) and a new cluster's name get
around: a first deployment makes both just before, and must not be rolled back for that.
"""

LOGIN_PAUSE: Final = 2.0
"""Seconds between two logins."""


def migrate_database(database: Database, *, app_password: str | None, seconds: float) -> list[str]:
    """Makes the functions' role, then applies every migration the database has not seen; gives their names.

    Run as the owner. Without a password the functions' role logs in with IAM tokens. It has `seconds`. Raises
    DatabaseFault or ServiceFault: then the database is as the last whole migration left it.
    """
    deadline = monotonic() + seconds
    with _log_in(database, min(deadline, monotonic() + LOGIN_WAIT)) as connection:
        ensure_app_role(connection, app_password)
        return apply_migrations(connection, known_migrations(), seconds=deadline - monotonic())


def _log_in(database: Database, deadline: float) -> Connection:
    while True:
        try:
            return database.connect()
        except DatabaseFault as fault:
            if not fault.transient or monotonic() + LOGIN_PAUSE > deadline:
                raise
            logger.warning("no login yet", fault=str(fault))
        sleep(LOGIN_PAUSE)
