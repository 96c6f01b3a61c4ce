"""Migrations only add: code of the release before works with the new schema, so a roll-back leaves it."""

import re

import pytest

from leads.postgres.migrations import Migration, known_migrations

TAKES_AWAY = re.compile(
    r"""
    \b DROP \s+ [^,;]+
    | \b RENAME \b [^,;]*
    | \b (ALTER|SET \s+ DATA) \s+ (COLUMN \s+)? (\w+ \s+)? (SET \s+ DATA \s+)? TYPE \b [^,;]*
    | \b SET \s+ NOT \s+ NULL \b
    | \b ADD \s+ (COLUMN \s+)? (?!CONSTRAINT\b) \w+ \s [^,;]* NOT \s+ NULL
      (?![^,;]* \b (DEFAULT|GENERATED) \b) [^,;]*
    | \b DELETE \s+ FROM \b [^;]*
    | \b TRUNCATE \b [^;]*
    """,
    re.VERBOSE | re.IGNORECASE,
)

EXCEPTIONS = {
    "0004_faster_imports": {
        "DROP INDEX dossier_by_date": "nothing but speed; its migration makes another one",
    },
    "0006_export_handed_over": {
        "DROP CONSTRAINT export_job_status_check": "its migration allows what it did, and PENDING, too",
    },
}
"""What was taken away after all, and why the release before does not miss it."""


def taken_away(sql: str) -> list[str]:
    """The clauses that take away, change or refuse what the release before has or writes."""
    without_comments = re.sub(r"--[^\n]*", "", sql)
    return [" ".join(found[0].split()) for found in TAKES_AWAY.finditer(without_comments)]


@pytest.mark.parametrize("migration", known_migrations(), ids=str)
def test_migrations_only_add(migration: Migration) -> None:
    assert taken_away(migration.sql) == list(EXCEPTIONS.get(str(migration), ()))


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE dossier",
        "ALTER TABLE a ADD COLUMN b text, DROP b",
        "alter table a drop column b",
        "DROP FUNCTION overdue(import_job)",
        "ALTER TABLE a ALTER COLUMN b TYPE bigint",
        "ALTER TABLE a ALTER b SET DATA TYPE bigint",
        "ALTER TABLE a ALTER b SET NOT NULL",
        "ALTER TABLE a RENAME TO b",
        "ALTER TABLE a RENAME COLUMN b TO c",
        "ALTER TABLE a ADD COLUMN b text NOT NULL",
        "ALTER TABLE a ADD b text NOT NULL CHECK (b <> '')",
        "DELETE FROM dossier",
        "BEGIN TRUNCATE dossier; END",
    ],
)
def test_what_takes_away_is_seen(sql: str) -> None:
    assert len(taken_away(sql)) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "-- DROP TABLE dossier",
        "ALTER TABLE a ADD COLUMN b boolean NOT NULL DEFAULT false",
        "CREATE TABLE a (b text NOT NULL)",
        "GRANT SELECT, DELETE ON a TO b",
        "CREATE INDEX a ON b (c) WHERE d IS NOT NULL",
        "ALTER TABLE a ADD CONSTRAINT b CHECK (c IS NOT NULL)",
    ],
)
def test_what_adds_is_none(sql: str) -> None:
    assert taken_away(sql) == []
