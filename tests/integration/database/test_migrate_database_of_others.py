"""A database that has a table `dossier` already, such as a CRM's, is refused and stays unchanged."""

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest

from leads.errors import MigrationFailed
from leads.postgres.connection import Database
from leads.use_cases.migrate_database import migrate_database
from tests.support.service import APP_PASSWORD, ROOT, Service, database_settings

SHAPE = """
SELECT string_agg(concat(kind, ' ', name), ', ' ORDER BY kind, name) FROM (
    SELECT 'relation' AS kind, relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'column', attname FROM pg_attribute WHERE attrelid = 'dossier'::regclass AND attnum > 0
) AS parts
"""


DEPLOY = (ROOT / "docs/deploy.md").read_text()


@pytest.fixture
def crm(service: Service) -> Iterator[Database]:
    """Yield a database for the leads of a CRM, with the owner's login."""
    user = urlsplit(service.postgres.superuser_uri)
    owner = database_settings(service.postgres, "leads_owner", service.postgres.owner_password)
    superuser = replace(owner, user=user.username or "", password=unquote(user.password or ""))
    with Database(superuser, "tests").connect() as connection:
        connection.execute("CREATE DATABASE crm OWNER leads_owner")
        yield Database(replace(owner, name="crm"), "tests")
        connection.execute("DROP DATABASE crm")
        connection.execute("DROP ROLE IF EXISTS crm")


def test_table_of_the_crm_is_refused_and_unchanged(crm: Database) -> None:
    """The error of the deployment says what to do."""
    with crm.connect() as connection:
        connection.execute("CREATE TABLE dossier (id int PRIMARY KEY, phone text)")
        connection.execute("INSERT INTO dossier VALUES (1, '06')")
        before = connection.query_value(SHAPE)

    with pytest.raises(
        MigrationFailed, match=r"0001_dossier .* exists already.*a database of its own"
    ) as caught:
        migrate_database(crm, app_password=APP_PASSWORD, seconds=60)

    assert "DatabaseName" in str(caught.value)
    with crm.connect() as connection:
        assert connection.query_value(SHAPE) == before
        assert connection.query_value("SELECT count(*) FROM dossier") == 1


def test_crm_uses_the_table_as_the_documents_say(crm: Database) -> None:
    """The owner copies the CRM's leads in. Then the CRM writes as a role of its own, with phone keys."""
    migrate_database(crm, app_password=APP_PASSWORD, seconds=60)
    (columns,) = re.findall(r"copy dossier (\([a-z_, ]+\)) FROM", DEPLOY)
    grants = re.findall(r"^((?:GRANT|CREATE POLICY) .* dossier TO crm.*)$", DEPLOY, re.MULTILINE)
    assert len(grants) == 2
    with crm.connect() as connection:
        copied = b"acme,Ana,0612345678,web,NEW,2024-01-15T10:30:00Z\n"
        connection.copy_in(f"COPY dossier {columns} FROM STDIN CSV", [copied])
        connection.execute("CREATE ROLE crm")
        connection.execute("GRANT crm TO CURRENT_USER WITH SET TRUE")
        for grant in grants:
            connection.execute(grant)
        connection.execute("SET ROLE crm")
        connection.execute(
            "INSERT INTO dossier (org_id, name, phone) VALUES ('acme', 'Bob', '06 12 34 56 78')"
        )
        assert connection.query("SELECT name, phone_key FROM dossier ORDER BY id") == [
            ["Ana", "+33612345678"],
            ["Bob", "+33612345678"],
        ]
