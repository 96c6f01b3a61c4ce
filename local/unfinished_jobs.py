"""Ends the jobs that an earlier stack left unfinished: their files went with its S3."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pg8000.dbapi

from local.postgres import DATABASE, OWNER, EmbeddedPostgres

_UPDATE = Path(__file__).with_name("end_unfinished_jobs.sql").read_text()


def end_unfinished_jobs(postgres: EmbeddedPostgres) -> None:
    """Mark them FAILED, as the database's owner. Does nothing in a database without their table."""
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
        cursor.execute("SELECT to_regclass('import_job') IS NOT NULL")
        if cursor.fetchone()[0]:
            cursor.execute(_UPDATE)
            connection.commit()
