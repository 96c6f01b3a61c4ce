"""Check an import whose Postgres is down at the last delivery, with a server of the test's own."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from leads.domain.merge_strategy import MergeStrategy
from leads.errors import DatabaseFault
from leads.jobs import reconnect
from leads.jobs.outcome import COMPLETED, MAX_ATTEMPTS
from leads.jobs.stores import Stores
from leads.postgres.connection import Database
from leads.postgres.import_jobs import NewImportJob, create_import_job, get_import_job
from leads.postgres.staging import Staging
from leads.s3.keys import import_key
from leads.use_cases.expire_jobs import expire_jobs
from leads.use_cases.migrate_database import migrate_database
from local.postgres.embedded import EmbeddedPostgres
from tests.support.fault_table import Seen
from tests.support.imports import run_import
from tests.support.service import APP_PASSWORD, Caller, Service, database_settings

CSV = b"name,phone,source\nA,0612345678,web\n"


class StoppedServer:
    """Stop a Postgres server hard and start it again."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server

    def stop_hard(self) -> None:
        process = self.server._process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def start_again(self) -> None:
        self.server.stop()
        self.server.start()

    @property
    def owner(self) -> Database:
        return Database(database_settings(self.server, "leads_owner", self.server.owner_password), "test")

    @property
    def database(self) -> Database:
        return Database(database_settings(self.server, "leads_app", APP_PASSWORD), "test")


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoppedServer]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("own"), throw_away=True) as server:
        # Committed rows survive a hard stop, as they do in a deployment.
        server._settings["synchronous_commit"] = "on"
        stopped = StoppedServer(server)
        stopped.start_again()
        migrate_database(stopped.owner, app_password=APP_PASSWORD, seconds=60)
        yield stopped


@pytest.mark.fault("Postgres stopped hard and started again")
@pytest.mark.slow_fault
def test_import_whose_postgres_is_down_to_the_end_is_failed(
    service: Service, own: StoppedServer, caller: Caller, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    """expire_jobs ends the job when Postgres runs again, and a redrive completes it."""
    monkeypatch.setattr(reconnect, "MAX_OUTAGE_SECONDS", 1.0)
    new = NewImportJob(caller.org, "x.csv", MergeStrategy.SKIP, dry_run=False, created_by="ana")
    with own.database.connect() as connection:
        id = create_import_job(connection, new)
    file = service.put(import_key(caller.org, id), CSV)

    merge = Staging.merge

    def stop_in_the_middle(staging: Staging, *arguments: Any) -> list[int]:
        merge(staging, *arguments)
        own.stop_hard()
        staging._connection.query("SELECT 1")
        raise AssertionError("Postgres is stopped")

    def job() -> dict[str, Any]:
        with own.owner.connect() as owner:
            (record,) = owner.query_dicts("SELECT * FROM import_job WHERE id = :id", id=id)
            return record | {"leads": owner.query_value("SELECT count(*) FROM dossier")}

    with monkeypatch.context() as patched:
        patched.setattr(Staging, "merge", stop_in_the_middle)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            with pytest.raises(DatabaseFault):
                run_import(service, file, database=own.database)
            own.start_again()
            after = job()
            assert (after["status"], after["attempts"], after["leads"]) == ("PROCESSING", attempt, 0)

    def expire() -> None:
        expire_jobs(Stores(own.database, service.leads_bucket), seconds=60)

    expire()
    with own.owner.connect() as owner:
        owner.query("UPDATE import_job SET unattended_since = now() - interval '2 minutes'")
    expire()
    with own.database.connect() as connection:
        failed = get_import_job(connection, caller.org, id)
    assert failed is not None
    assert (failed.status, failed.failure_code, job()["leads"]) == ("FAILED", "INTERNAL", 0)
    assert "send it again" in str(failed.failure_reason)
    assert run_import(service, file, database=own.database).ended == COMPLETED, "a redrive"
    assert job()["leads"] == 1
    seen("down to the end of the last attempt: no row stored, FAILED with a reason when it ran again")
