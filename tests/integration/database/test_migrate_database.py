"""migrate_database applies each migration once, as a whole or not at all."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from leads.errors import MigrationFailed, ServiceFault
from leads.postgres import migrations
from leads.postgres.connection import Connection
from leads.postgres.migrations import Migration, apply_migrations, known_migrations
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import Service


def exists(connection: Connection, table: str) -> bool:
    return connection.query_value("SELECT to_regclass(:table)", table=table) is not None


def test_migrate_database_second_run_applies_nothing(service: Service) -> None:
    answer = service.handler("migrate_database")({}, FakeLambdaContext("migrate_database"))
    assert answer == {"applied": []}


def test_known_migrations_are_numbered_without_gaps() -> None:
    versions = [migration.version for migration in known_migrations()]
    assert versions == list(range(1, len(versions) + 1))


def test_migration_that_fails_changes_nothing(service: Service) -> None:
    """It has no record either, so the mended file can be applied. After that it must not change."""
    broken = Migration(9001, "broken", "CREATE TABLE half_done (id int); SELECT 1 / 0")
    with service.owner() as connection:
        with pytest.raises(MigrationFailed, match=r"migration 9001_broken failed: database error 22012"):
            apply_migrations(connection, [broken], seconds=60)
        assert not exists(connection, "half_done")
        mended = broken._replace(sql="CREATE TABLE half_done (id int)")
        assert apply_migrations(connection, [mended], seconds=60) == ["9001_broken"]
        assert exists(connection, "half_done")
        with pytest.raises(ServiceFault, match=r"9001_broken changed after it was applied"):
            apply_migrations(connection, [broken], seconds=60)


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Return an event that is set when a migration pauses. Its times are shorter than in a deployment."""
    event = Event()

    def pause(seconds: float) -> None:
        event.set()
        time.sleep(seconds)

    monkeypatch.setattr(migrations, "sleep", pause)
    monkeypatch.setattr(migrations, "LOCK_WAIT_MILLISECONDS", 50)
    monkeypatch.setattr(migrations, "LOCK_PAUSE_SECONDS", 0.05)
    return event


def test_migration_pauses_while_its_table_is_locked(service: Service, paused: Event) -> None:
    """Statements that come after the migration run during the pause. Then the migration tries again."""
    with service.owner() as connection:
        connection.execute("CREATE TABLE busy (id int)")
        change = Migration(9002, "change_busy", "ALTER TABLE busy ADD name text")
        with service.owner() as job, service.owner() as other, ThreadPoolExecutor(1) as threads:
            with job.transaction():
                job.execute("INSERT INTO busy VALUES (1)")
                applied = threads.submit(apply_migrations, connection, [change], seconds=60)
                assert paused.wait(20)
                other.execute("SET lock_timeout = 10000; INSERT INTO busy VALUES (2)")
                assert not applied.done()
            assert applied.result(timeout=30) == ["9002_change_busy"]


@pytest.mark.usefixtures("paused")
def test_migration_of_a_locked_table_fails(service: Service) -> None:
    with service.owner() as connection, service.owner() as job:
        connection.execute("CREATE TABLE locked (id int)")
        with job.transaction():
            job.execute("LOCK TABLE locked")
            with pytest.raises(
                MigrationFailed, match=r"9003_locked failed: .*its tables stayed locked until the time limit"
            ):
                apply_migrations(connection, [Migration(9003, "locked", "DROP TABLE locked")], seconds=0.3)
        assert exists(connection, "locked")


def test_migration_beyond_its_time_is_stopped(service: Service) -> None:
    with (
        service.owner() as connection,
        pytest.raises(MigrationFailed, match=r"9004_long failed: .*it exceeded the time limit"),
    ):
        apply_migrations(connection, [Migration(9004, "long", "SELECT pg_sleep(60)")], seconds=0.3)
