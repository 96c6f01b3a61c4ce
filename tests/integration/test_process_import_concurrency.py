"""process_import when others are at work: locks, retries, the plan. Fakes are named for their malice."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from leads.domain.merge_strategy import MergeStrategy
from leads.errors import DatabaseFault, ServiceFault
from leads.postgres.connection import Connection, Database
from leads.s3.bucket import Bucket
from leads.s3.keys import import_key
from leads.use_cases import process_import as module
from leads.use_cases.process_import import COMPLETED, IGNORED, ImportOutcome, StoredFile, process_import
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import Caller, Service, s3_event

CSV = b"name,phone,source\nA,0612345678,web\n"


class ReaderThatStalls:
    """Gives its bytes, and its end only when it is told to."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.reached_end = threading.Event()
        self.may_end = threading.Event()

    def read(self, size: int, /) -> bytes:
        if self._content:
            part, self._content = self._content[:size], self._content[size:]
            return part
        self.reached_end.set()
        assert self.may_end.wait(20), "nobody let the file end"
        return b""


class BucketThatStalls(Bucket):
    """Opens a reader that stalls, whatever is asked of it."""

    def __init__(self, reader: ReaderThatStalls) -> None:
        self._reader = reader

    def open(self, key: str, version: str) -> ReaderThatStalls:  # type: ignore[override]
        return self._reader


class DatabaseThatGoesAway(Database):
    """Refuses some of the connections, told by their number."""

    def __init__(self, database: Database, refused: set[int]) -> None:
        self._database = database
        self._refused = refused
        self._asked = 0

    def connect(self) -> Connection:
        self._asked += 1
        if self._asked in self._refused:
            raise DatabaseFault(None)
        return self._database.connect()


def run(service: Service, file: StoredFile, bucket: Bucket) -> tuple[threading.Thread, list[ImportOutcome]]:
    """Runs an import in a thread, in chunks of one row."""
    outcomes: list[ImportOutcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(
            process_import(file, database=service.database, bucket=bucket, chunk_rows=1)
        )
    )
    thread.start()
    return thread, outcomes


def posted(service: Service, caller: Caller, strategy: str) -> StoredFile:
    job_id = service.post_csv(caller, CSV, strategy)
    return service.version(import_key(caller.org, job_id))


def wait_until(true: Callable[[], object]) -> None:
    for _ in range(400):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("waited in vain")


def test_two_imports_of_one_organisation_make_no_double_under_skip(service: Service, caller: Caller) -> None:
    stalling = ReaderThatStalls(CSV)
    first, first_outcomes = run(service, posted(service, caller, "SKIP"), BucketThatStalls(stalling))
    assert stalling.reached_end.wait(20)
    second, second_outcomes = run(service, posted(service, caller, "SKIP"), service.leads_bucket)
    with service.owner() as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: connection.value(waiting) or not second.is_alive())
    stalling.may_end.set()
    first.join()
    second.join()
    assert [outcome.counts.success for outcome in first_outcomes + second_outcomes] == [1, 0]
    assert len(service.leads(caller)) == 1


def test_the_same_event_at_the_same_time_runs_once(service: Service, caller: Caller) -> None:
    file = posted(service, caller, "CREATE_NEW")
    stalling = ReaderThatStalls(CSV)
    first, first_outcomes = run(service, file, BucketThatStalls(stalling))
    assert stalling.reached_end.wait(20)
    assert process_import(file, database=service.database, bucket=service.leads_bucket).ended == IGNORED
    stalling.may_end.set()
    first.join()
    assert [outcome.ended for outcome in first_outcomes] == [COMPLETED]
    assert len(service.leads(caller)) == 1


def test_a_database_that_goes_away_once_costs_no_attempt_of_lambdas(service: Service, caller: Caller) -> None:
    file = posted(service, caller, "SKIP")
    database = DatabaseThatGoesAway(service.database, {1})
    assert process_import(file, database=database, bucket=service.leads_bucket).ended == COMPLETED
    with service.owner() as connection:
        assert connection.value("SELECT attempts FROM import_job WHERE org_id = :org", org=caller.org) == 1


def test_the_third_attempt_ends_the_job_and_a_redrive_completes_it(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posted(service, caller, "SKIP")

    def fail(*_: object) -> None:
        raise DatabaseFault("57P01")

    with monkeypatch.context() as patched:
        patched.setattr(module, "merge", fail)
        for attempt in (1, 2, 3):
            assert service.job(caller, int(file.key.split("/")[2]))["status"] != "FAILED", attempt
            with pytest.raises(ServiceFault):
                service.announce(file)
    job = service.job(caller, int(file.key.split("/")[2]))
    assert (job["status"], "send it again" in job["failureReason"]) == ("FAILED", True)
    assert service.leads(caller) == []

    service.announce(file)
    assert service.job(caller, job["id"])["status"] == "COMPLETED"
    assert len(service.leads(caller)) == 1


def test_what_the_database_would_only_refuse_again_ends_the_job_at_once(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posted(service, caller, "SKIP")

    def fail(*_: object) -> None:
        raise DatabaseFault("23514")

    monkeypatch.setattr(module, "merge", fail)
    service.announce(file)
    assert service.job(caller, int(file.key.split("/")[2]))["status"] == "FAILED"


def test_one_file_that_fails_keeps_no_other_waiting_and_is_counted(
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
    with pytest.raises(ServiceFault, match="1 of 2 files failed"):
        handler(s3_event(service.bucket, bad, good), FakeLambdaContext("process_import"))
    assert len(service.leads(caller)) == 1
    assert '"ImportFaults":[1.0]' in capsys.readouterr().out


@pytest.mark.parametrize("strategy", MergeStrategy)
def test_the_merge_finds_duplicates_by_phone_whatever_the_statistics_say(
    service: Service, caller: Caller, strategy: MergeStrategy
) -> None:
    rows = "".join(f"A,06{n:08},web\n" for n in range(3000))
    with service.owner() as connection:
        connection.rows(
            "INSERT INTO dossier (org_id, name, phone) "
            "SELECT 'elsewhere-' || :org, 'B', '+33' || n FROM generate_series(100000000, 100030000) AS n",
            org=caller.org,
        )
        # Now the caller's organisation is taken for one of hardly any leads.
        connection.script("ANALYZE dossier")
    service.import_csv(caller, "name,phone,source\n" + rows)
    before = _ways_of_reading(service)
    changed = rows.replace("A,", "C,")
    service.import_csv(caller, "name,phone,source\n" + changed, strategy)
    assert _ways_of_reading(service) == before


def _ways_of_reading(service: Service) -> list[list[object]]:
    """How often dossier was read whole, or by an index that does not know the phone."""
    with service.owner() as connection:
        rows = connection.rows(
            "SELECT 'whole', seq_scan FROM pg_stat_user_tables WHERE relname = 'dossier' "
            "UNION ALL SELECT indexrelname, idx_scan FROM pg_stat_user_indexes "
            "WHERE relname = 'dossier' AND indexrelname LIKE 'dossier_by%' ORDER BY 1"
        )
    return [list(row) for row in rows]
