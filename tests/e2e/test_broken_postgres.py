"""Stop Postgres in the middle of an import, fill its disk, and migrate it during an import."""

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leads.postgres import migrations
from leads.postgres.migrations import Migration, apply_migrations
from tests.e2e.test_killed_at_any_moment import CHUNK, ROWS, attempts, lead_count, post
from tests.e2e.test_service import Client
from tests.support.fault_table import Seen
from tests.support.fragile_stack import FragileStack
from tests.support.waiting import wait_until

SMALL = b"name,phone,source\nA,0612345678,web\n"
MIGRATIONS = [
    Migration(9001, "add_columns", "ALTER TABLE dossier ADD a text; ALTER TABLE import_job ADD a text"),
    Migration(9002, "add_index", "CREATE INDEX dossier_a ON dossier (a)"),
]


@pytest.mark.fault("Postgres stopped hard and started again")
def test_postgres_killed_during_an_import_loses_no_row(fragile: FragileStack, seen: Seen) -> None:
    client = Client(fragile)
    client.import_file(SMALL)
    held = fragile.proxy.hold(CHUNK, CHUNK)
    id = post(client)
    held.wait()
    fragile.stop_postgres_hard()
    started_at = time.monotonic()
    held.release()
    fragile.start_postgres_again()
    assert lead_count(fragile, client.org) == 1, "rolled back"
    job = client.ended_job(id)
    seconds = time.monotonic() - started_at
    assert (job["status"], job["successCount"]) == ("COMPLETED", ROWS)
    assert lead_count(fragile, client.org) == ROWS + 1
    seen(f"rolled back, COMPLETED by attempt {attempts(fragile, id)}, {seconds:.1f} s after the stop")


@pytest.fixture
def small_disk(fragile: FragileStack, tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB with a tablespace of Postgres."""
    disk = fragile.directory / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a full disk takes the right to mount one")
    try:
        owner = (fragile.postgres.directory / "data").stat()
        space = disk / "space"
        space.mkdir()
        for made in (disk, space):
            os.chown(made, owner.st_uid, owner.st_gid)
        yield space
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S607


@pytest.mark.slow_fault
@pytest.mark.fault("a full disk")
def test_full_disk_during_an_import_loses_no_row(fragile: FragileStack, small_disk: Path, seen: Seen) -> None:
    client = Client(fragile)
    rows = 40_000
    content = b"name,phone,source\n" + b"".join(b"Ana Martin,06%08d,web\n" % n for n in range(rows))
    log = fragile.logs / "process_import.log"
    with fragile.superuser() as superuser:
        superuser.query(f"CREATE TABLESPACE full_disk LOCATION '{small_disk}'")
        superuser.query("GRANT CREATE ON TABLESPACE full_disk TO leads_app")
        # Temporary tables, and so the staged rows, are on this disk.
        superuser.query("ALTER ROLE leads_app SET temp_tablespaces = 'full_disk'")
        try:
            id = post(client, content)
            wait_until(lambda: "53100" in log.read_text() and attempts(fragile, id) == 2)
            job = client.request("GET", f"/api/v1/leads/import/history/{id}").json()
            assert (job["status"], job["successCount"]) == ("PROCESSING", 0)
            assert lead_count(fragile, client.org) == 0
        finally:
            superuser.query("ALTER ROLE leads_app RESET temp_tablespaces")
        # The disk has space again.
        job = client.ended_job(id)
        wait_until(
            lambda: (
                not superuser.query_value(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'process_import'"
                )
            )
        )
        superuser.query("DROP TABLESPACE full_disk")
    assert (job["status"], job["successCount"]) == ("COMPLETED", rows)
    assert lead_count(fragile, client.org) == rows
    seen(f"53100, rolled back; COMPLETED by attempt {attempts(fragile, id)}, when there was room")


@pytest.mark.fault("a new migration while jobs run")
def test_migration_waits_for_a_running_job_only(
    fragile: FragileStack, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    monkeypatch.setattr(migrations, "LOCK_WAIT_MILLISECONDS", 300)
    monkeypatch.setattr(migrations, "LOCK_PAUSE_SECONDS", 0.2)
    running, other = Client(fragile), Client(fragile)
    held = fragile.proxy.hold(CHUNK, CHUNK)
    id = post(running)
    held.wait()
    with fragile.owner() as owner, ThreadPoolExecutor() as threads:
        migrating = threads.submit(apply_migrations, owner, MIGRATIONS, seconds=60)
        with fragile.superuser() as superuser:
            wait_until(
                lambda: superuser.query_value(
                    "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"
                )
            )
        assert other.import_file(SMALL)["status"] == "COMPLETED"
        assert not migrating.done(), "the first job still holds its table"
        held.release()
        assert migrating.result(60) == ["9001_add_columns", "9002_add_index"]
    job = running.ended_job(id)
    assert (job["status"], job["successCount"]) == ("COMPLETED", ROWS)
    assert (lead_count(fragile, running.org), attempts(fragile, id)) == (ROWS, 1)
    assert other.import_file(SMALL)["skippedCount"] == 1
    assert running.export().count(b"\n") == ROWS + 1
    seen("the running job and another one COMPLETED at once, and then the migration was applied")
