"""End the unfinished jobs of an earlier stack, whose files were lost with its S3."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pg8000.dbapi

from local.postgres.embedded import DATABASE, OWNER, EmbeddedPostgres

_TABLES = ("import_job", "export_job")


def end_unfinished_jobs(postgres: EmbeddedPostgres) -> None:
    """Mark them FAILED as the database's owner, who sees every organisation. Skip missing tables."""
    with contextlib.closing(
        pg8000.dbapi.connect(
            user=OWNER,
            password=postgres.owner_password,
            host=postgres.host,
            port=postgres.port,
            database=DATABASE,
        )
    ) as connection:
        cursor = connection.cursor()
        for table in _TABLES:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
            if cursor.fetchone()[0]:
                cursor.execute(Path(__file__).with_name(f"end_unfinished_{table}s.sql").read_text())
        connection.commit()
