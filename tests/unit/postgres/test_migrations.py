"""Migrations only add: the previous release works with the new schema, which a roll-back leaves."""

import re

import pytest

from leads.postgres.migrations import Migration, known_migrations

REMOVAL = re.compile(
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
        "DROP INDEX dossier_by_date": "nothing but speed; its migration creates another one",
    },
    "0006_export_handed_over": {
        "DROP CONSTRAINT export_job_status_check": "its migration allows the same, and PENDING, too",
    },
}
"""The removals that are allowed, and the reason why the previous release does not need them."""


def removals(sql: str) -> list[str]:
    """Return the clauses that remove, change or refuse something that the previous release has or writes."""
    without_comments = re.sub(r"--[^\n]*", "", sql)
    return [" ".join(found[0].split()) for found in REMOVAL.finditer(without_comments)]


@pytest.mark.parametrize("migration", known_migrations(), ids=str)
def test_migrations_only_add(migration: Migration) -> None:
    assert removals(migration.sql) == list(EXCEPTIONS.get(str(migration), ()))


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
def test_removals_finds_clauses_that_remove(sql: str) -> None:
    assert len(removals(sql)) == 1


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
def test_removals_ignores_clauses_that_add(sql: str) -> None:
    assert removals(sql) == []
