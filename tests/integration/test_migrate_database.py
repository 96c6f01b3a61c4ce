"""migrate_database: the schema's history, applied once, whole or not at all."""

import pytest

from leads.errors import DatabaseFault, ServiceFault
from leads.postgres.connection import Connection
from leads.postgres.migrations import Migration, apply_migrations, known_migrations
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import Service


def exists(connection: Connection, table: str) -> bool:
    return connection.value("SELECT to_regclass(:table)", table=table) is not None


def test_second_run_applies_nothing(service: Service) -> None:
    answer = service.handler("migrate_database")({}, FakeLambdaContext("migrate_database"))
    assert answer == {"applied": []}


def test_migrations_are_numbered_without_gaps() -> None:
    versions = [migration.version for migration in known_migrations()]
    assert versions == list(range(1, len(versions) + 1))


def test_failing_migration_leaves_neither_change_nor_record(service: Service) -> None:
    broken = Migration(9001, "broken", "CREATE TABLE half_done (id int); SELECT 1 / 0")
    with service.owner() as connection:
        with pytest.raises(DatabaseFault) as fault:
            apply_migrations(connection, [broken])
        assert fault.value.sqlstate == "22012"
        assert not exists(connection, "half_done")
        mended = broken._replace(sql="CREATE TABLE half_done (id int)")
        assert apply_migrations(connection, [mended]) == ["9001_broken"]
        assert exists(connection, "half_done")
        with pytest.raises(ServiceFault, match="9001_broken changed after it was applied"):
            apply_migrations(connection, [broken])
