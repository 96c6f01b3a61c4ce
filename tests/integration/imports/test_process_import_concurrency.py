"""Import while other sessions work: locks, retries, plans.

The fakes are named for the fault that they cause.
"""

import threading
from typing import Any

import pytest

from leads.domain.merge_strategy import MergeStrategy
from leads.errors import DatabaseFault, ServiceFault
from leads.import_engine.sizes import Sizes
from leads.jobs.outcome import COMPLETED, IGNORED, ImportOutcome
from leads.postgres.connection import Connection, Database
from leads.postgres.staging import Staging
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from tests.support.hostile_s3 import BucketThatStalls, ReaderThatStalls
from tests.support.imports import job_of, posted, run_import
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import Caller, Service, s3_event
from tests.support.waiting import wait_until

CSV = b"name,phone,source\nA,0612345678,web\n"


class DatabaseThatGoesAway(Database):
    """A database that refuses some of the connections, by their number."""

    def __init__(self, database: Database, refused: set[int]) -> None:
        self._database = database
        self._refused = refused
        self._asked = 0

    def connect(self, *, timeout: float | None = None) -> Connection:
        self._asked += 1
        if self._asked in self._refused:
            raise DatabaseFault(None)
        return self._database.connect(timeout=timeout)


def run(
    service: Service, file: StoredFile, bucket: Bucket | None = None
) -> tuple[threading.Thread, list[ImportOutcome]]:
    """Run an import in a thread, in chunks of one row."""
    outcomes: list[ImportOutcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(
            run_import(service, file, Sizes(chunk_rows=1, merge_rows=1), bucket=bucket)
        )
    )
    thread.start()
    return thread, outcomes


def test_concurrent_imports_under_skip_add_no_duplicate(service: Service, caller: Caller) -> None:
    stalling = ReaderThatStalls(CSV)
    stalls = BucketThatStalls(service.bucket_of("process_import"), stalling)
    first, first_outcomes = run(service, posted(service, caller, CSV), stalls)
    assert stalling.reached_end.wait(20)
    second, second_outcomes = run(service, posted(service, caller, CSV))
    with service.owner() as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: connection.query_value(waiting) or not second.is_alive())
    stalling.may_end.set()
    first.join()
    second.join()
    assert [outcome.counts.success for outcome in first_outcomes + second_outcomes] == [1, 0]
    assert len(service.leads(caller)) == 1


@pytest.mark.fault("the same event at the same instant")
def test_concurrent_deliveries_of_one_event_run_once(service: Service, caller: Caller) -> None:
    file = posted(service, caller, CSV, "CREATE_NEW")
    stalling = ReaderThatStalls(CSV)
    first, first_outcomes = run(
        service, file, BucketThatStalls(service.bucket_of("process_import"), stalling)
    )
    assert stalling.reached_end.wait(20)
    second, second_outcomes = run(service, file)
    stalling.may_end.set()
    first.join()
    second.join()
    assert [outcome.ended for outcome in first_outcomes + second_outcomes] == [COMPLETED, IGNORED]
    assert len(service.leads(caller)) == 1


def test_database_lost_once_is_retried_within_the_run(service: Service, caller: Caller) -> None:
    file = posted(service, caller, CSV)
    database = DatabaseThatGoesAway(service.database, {1})
    assert run_import(service, file, database=database).ended == COMPLETED
    with service.owner() as connection:
        assert (
            connection.query_value("SELECT attempts FROM import_job WHERE org_id = :org", org=caller.org) == 1
        )


@pytest.mark.fault("Postgres stopped hard and started again")
def test_third_attempt_fails_the_job_and_a_redrive_completes(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posted(service, caller, CSV)

    def fail(*_: object) -> None:
        raise DatabaseFault("57P01")

    with monkeypatch.context() as patched:
        patched.setattr(Staging, "merge", fail)
        for attempt in (1, 2, 3):
            assert job_of(service, caller, file)["status"] != "FAILED", attempt
            with pytest.raises(ServiceFault):
                service.announce(file)
    job = job_of(service, caller, file)
    assert (job["status"], "send it again" in job["failureReason"]) == ("FAILED", True)
    assert service.leads(caller) == []

    service.announce(file)
    assert service.job(caller, job["id"])["status"] == "COMPLETED"
    assert len(service.leads(caller)) == 1


def test_permanent_database_fault_fails_the_job_at_once(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posted(service, caller, CSV)

    def fail(*_: object) -> None:
        raise DatabaseFault("23514")

    monkeypatch.setattr(Staging, "merge", fail)
    service.announce(file)
    assert job_of(service, caller, file)["status"] == "FAILED"


@pytest.mark.parametrize("sqlstate", ["25006", "58030", "XX000"])
def test_transient_database_fault_is_raised_and_redelivered(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, sqlstate: str
) -> None:
    file = posted(service, caller, CSV)

    def fail(*_: object) -> None:
        raise DatabaseFault(sqlstate)

    with monkeypatch.context() as patched:
        patched.setattr(Staging, "merge", fail)
        with pytest.raises(ServiceFault):
            service.announce(file)
    service.announce(file)
    assert job_of(service, caller, file)["status"] == "COMPLETED"


def test_failing_file_of_an_event_delays_no_other(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = (service.put(f"drop/{caller.org}/{name}.csv", CSV) for name in ("bad", "good"))
    handler = service.handler("process_import")
    open_ = Bucket.open

    def fail(bucket: Bucket, key: str, version: str) -> Any:
        if "bad" in key:
            raise ServiceFault("S3 broke off")
        return open_(bucket, key, version)

    monkeypatch.setattr(Bucket, "open", fail)
    with pytest.raises(ServiceFault, match="1 of 2 imports failed"):
        handler(s3_event(service.bucket, bad, good), FakeLambdaContext("process_import"))
    assert len(service.leads(caller)) == 1
    assert '"ImportFaults":[1.0]' in capsys.readouterr().out


@pytest.mark.parametrize("strategy", MergeStrategy)
def test_merge_uses_the_phone_index_with_any_statistics(
    service: Service, caller: Caller, strategy: MergeStrategy
) -> None:
    rows = "".join(f"A,06{n:08},web\n" for n in range(3000))
    with service.owner() as connection:
        connection.query(
            "INSERT INTO dossier (org_id, name, phone) "
            "SELECT 'elsewhere-' || :org, 'B', '+33' || n FROM generate_series(100000000, 100030000) AS n",
            org=caller.org,
        )
        # By these statistics, the caller's organisation has hardly any leads.
        connection.execute("ANALYZE dossier")
    service.import_csv(caller, "name,phone,source\n" + rows)
    before = _ways_of_reading(service)
    changed = rows.replace("A,", "C,")
    service.import_csv(caller, "name,phone,source\n" + changed, strategy)
    assert _ways_of_reading(service) == before


def _ways_of_reading(service: Service) -> list[list[object]]:
    """Return how often dossier was scanned whole, or by an index without the phone."""
    with service.owner() as connection:
        rows = connection.query(
            "SELECT 'whole', seq_scan FROM pg_stat_user_tables WHERE relname = 'dossier' "
            "UNION ALL SELECT indexrelname, idx_scan FROM pg_stat_user_indexes "
            "WHERE relname = 'dossier' AND indexrelname NOT IN ('dossier_duplicates', 'dossier_pkey') "
            "ORDER BY 1"
        )
    return [list(row) for row in rows]


def test_lead_stored_during_an_import_is_a_duplicate(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows after the commit of the other program find its lead."""
    file = posted(service, caller, b"name,phone,source\nA,0112345678,web\nB,01 12 34 56 78,web\n")

    stored_phone_suffixes = Staging.stored_phone_suffixes

    def ask(staging: Staging) -> str | None:
        suffixes = stored_phone_suffixes(staging)
        with service.owner() as other:
            other.query(
                "INSERT INTO dossier (org_id, name, phone) VALUES (:org, 'C', '+33112345678')", org=caller.org
            )
        return suffixes

    monkeypatch.setattr(Staging, "stored_phone_suffixes", ask)
    assert run_import(service, file, Sizes(phone_filter_bytes=0)).ended == COMPLETED
    job = job_of(service, caller, file)
    assert (job["successCount"], job["skippedCount"]) == (1, 1)
    assert {lead["name"] for lead in service.leads(caller)} == {"A", "C"}
