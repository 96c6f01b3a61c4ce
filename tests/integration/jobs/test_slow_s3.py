"""Check runs whose S3 is slow and never fails.

S3 takes longer than a transaction may idle, or than a dead run's lock lasts.
A run that lost its job meanwhile leaves the other run's files alone.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from leads.errors import DatabaseFault, ServiceFault
from leads.import_engine import import_file
from leads.import_engine.sizes import Sizes
from leads.jobs import claim, keepalive
from leads.jobs.outcome import COMPLETED, IGNORED
from leads.postgres.connection import Connection
from leads.postgres.export_jobs import complete_export_job
from leads.postgres.import_jobs import complete_import_job
from leads.s3.bucket import Bucket
from leads.s3.reader import ObjectReader
from leads.use_cases import export_file
from tests.integration.imports.test_import_report_faults import FAULTY_ROWS, LARGE, PIECES, SMALL
from tests.integration.imports.test_process_import_time import DatabaseWithALimit
from tests.support.exports import (
    asked,
    export_of,
    exported,
    names,
    run_export,
    store,
    store_many,
    versions,
)
from tests.support.hostile_s3 import BucketThatTakesItsTime
from tests.support.imports import counts, download, job_of, posted, report_of, run_import, uploaded
from tests.support.service import Caller, Service

SLOW = 1.5
DEAD = 1.0
"""Several pings fit into it, and a run that waits twice as long is seen alive."""
IDLE = "SET idle_in_transaction_session_timeout = 700"


@pytest.fixture(autouse=True)
def short_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ping after 0.2 s instead of 10, for a transaction that may idle for 0.7 s instead of 55."""
    monkeypatch.setattr(keepalive, "PING_SECONDS", 0.2)


def test_ping_interval_is_a_small_part_of_the_idle_limits(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with service.app() as connection:
        idle = connection.query_value(
            "SELECT extract(epoch FROM current_setting(:name)::interval)",
            name="idle_in_transaction_session_timeout",
        )
    assert keepalive.PING_SECONDS * 4 < float(str(idle)) < claim.DEAD_LOCK_SECONDS


@pytest.mark.parametrize(
    ("content", "sizes", "expected"),
    [
        pytest.param(SMALL, Sizes(), (3, 1, 1, 1), id="at once"),
        pytest.param(
            LARGE,
            PIECES,
            (FAULTY_ROWS + 1, 1, FAULTY_ROWS, 0),
            id="in parts",
            marks=pytest.mark.slow_fault,
        ),
    ],
)
@pytest.mark.fault("the report cannot be written")
def test_report_slower_than_the_idle_limit_is_stored(
    service: Service, caller: Caller, content: str, sizes: Sizes, expected: tuple[int, ...]
) -> None:
    file = uploaded(service, caller, content.encode())
    slow = BucketThatTakesItsTime(service.bucket_of("process_import"), "reports/", SLOW)
    limited = DatabaseWithALimit(service.database, IDLE)
    assert run_import(service, file, sizes, database=limited, bucket=slow).ended == COMPLETED
    job = job_of(service, caller, file)
    assert counts(job) == expected
    assert len(report_of(job).rows) == sum(expected[2:])


@pytest.mark.slow_fault
def test_report_that_is_aborted_slowly_keeps_the_connection(service: Service, caller: Caller) -> None:
    """The run still fails its job with the reason."""
    file = uploaded(service, caller, f'{LARGE}Bob,2,web,"open\n'.encode())
    slow = BucketThatTakesItsTime(service.bucket_of("process_import"), "reports/", SLOW)
    limited = DatabaseWithALimit(service.database, IDLE)
    assert run_import(service, file, PIECES, database=limited, bucket=slow).ended == "INVALID_CSV"
    assert job_of(service, caller, file)["status"] == "FAILED"


class _SlowBody:
    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, amt: int | None = None) -> bytes:
        time.sleep(SLOW)
        return bytes(self._body.read(amt))

    def close(self) -> None:
        self._body.close()


class SlowBucket(Bucket):
    """Return each block of an object after a while."""

    def open(self, key: str, version: str) -> ObjectReader:
        reader = super().open(key, version)
        return ObjectReader(_SlowBody(reader._body), reader.size)


@pytest.mark.parametrize(
    "apart_bytes",
    [
        pytest.param(0, id="in the reader process", marks=pytest.mark.slow_fault),
        pytest.param(2**40, id="in this process", marks=pytest.mark.slow_fault),
    ],
)
def test_file_slower_than_the_idle_limit_is_imported(
    service: Service, caller: Caller, apart_bytes: int
) -> None:
    file = posted(service, caller, SMALL)
    own = service.bucket_of("process_import")
    slow = SlowBucket(own.client, own.name)
    limited = DatabaseWithALimit(service.database, IDLE)
    sizes = Sizes(reader_process_bytes=apart_bytes)
    assert run_import(service, file, sizes, database=limited, bucket=slow).ended == COMPLETED


class _SteadyBody:
    """Return each block within PING_SECONDS, and all of them in more than a session may idle."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, amt: int | None = None) -> bytes:
        time.sleep(0.1)
        return bytes(self._body.read(amt))

    def close(self) -> None:
        self._body.close()


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param("A,06{:08},web,{}", id="valid", marks=pytest.mark.slow_fault),
        pytest.param(",06{:08},web,{}", id="faulty"),
    ],
)
def test_steady_file_longer_than_the_idle_limit_is_imported(
    service: Service, caller: Caller, cells: str
) -> None:
    """Postgres has no statement to execute for longer than its session may idle."""
    rows = 8000
    lines = (cells.format(n, "n" * 500) for n in range(rows))
    file = uploaded(service, caller, ("name,phone,source,notes\n" + "\n".join(lines)).encode())
    own = service.bucket_of("process_import")

    class SteadyBucket(Bucket):
        def open(self, key: str, version: str) -> ObjectReader:
            reader = super().open(key, version)
            return ObjectReader(_SteadyBody(reader._body), reader.size)

    limited = DatabaseWithALimit(service.database, IDLE)
    # Merges come after 500, 1,500, 3,500 and 7,500 rows. Faulty rows are not merged.
    sizes = Sizes(chunk_rows=500, merge_rows=rows, reader_process_bytes=2**40)
    bucket = SteadyBucket(own.client, own.name)
    assert run_import(service, file, sizes, database=limited, bucket=bucket).ended == COMPLETED
    assert job_of(service, caller, file)["totalRows"] == rows


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(1, id="at once"),
        pytest.param(6000, id="in parts", marks=pytest.mark.slow_fault),
    ],
)
def test_export_with_end_slower_than_the_idle_limit_completes(
    service: Service, caller: Caller, rows: int
) -> None:
    store_many(service, caller, rows)
    request = asked(service, caller)
    slow = BucketThatTakesItsTime(service.bucket_of("process_export"), "exports/", SLOW)
    limited = DatabaseWithALimit(service.database, IDLE)
    assert run_export(service, request, database=limited, bucket=slow).ended == COMPLETED
    assert len(names(exported(export_of(service, caller, request)).decode())) == rows


def test_duplicate_of_an_import_that_waits_for_s3_is_ignored(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "DEAD_LOCK_SECONDS", DEAD)
    file = posted(service, caller, SMALL)
    slow = BucketThatTakesItsTime(service.bucket_of("process_import"), "reports/", 2 * DEAD)
    with ThreadPoolExecutor() as threads:
        run = threads.submit(run_import, service, file, bucket=slow)
        assert slow.asked.wait(20)
        assert run_import(service, file).ended == IGNORED
        assert not run.done(), "the duplicate came too late, so this test proves nothing"
        assert run.result(30).ended == COMPLETED


@pytest.mark.slow_fault
def test_duplicate_of_an_export_that_waits_for_s3_is_ignored(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "DEAD_LOCK_SECONDS", DEAD)
    store(service, caller)
    request = asked(service, caller)
    slow = BucketThatTakesItsTime(service.bucket_of("process_export"), "exports/", 2 * DEAD)
    with ThreadPoolExecutor() as threads:
        run = threads.submit(run_export, service, request, bucket=slow)
        assert slow.asked.wait(20)
        assert run_export(service, request).ended == IGNORED
        assert not run.done(), "the duplicate came too late, so this test proves nothing"
        assert run.result(30).ended == COMPLETED


def test_run_that_lost_its_job_deletes_only_its_own_report(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posted(service, caller, SMALL)
    lost: list[Connection] = []

    def lose(connection: Connection, *arguments: Any) -> None:
        if lost:
            complete_import_job(connection, *arguments)
            return
        lost.append(connection)
        connection.close()
        assert run_import(service, file).ended == COMPLETED
        raise DatabaseFault(None)

    monkeypatch.setattr(import_file, "complete_import_job", lose)
    assert run_import(service, file).ended == IGNORED
    job = job_of(service, caller, file)
    assert job["status"] == "COMPLETED"
    assert download(job["reportUrl"]).data
    assert len(versions(service, f"reports/{caller.org}/")) == 1


class ClientThatStoresButRaises:
    """Store an object, run `meanwhile`, and raise as if the answer were lost."""

    def __init__(self, client: Any, meanwhile: Any) -> None:
        self._client = client
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, **arguments: Any) -> Any:
        self._client.put_object(**arguments)
        self._meanwhile()
        raise ReadTimeoutError(endpoint_url="https://s3")


def test_run_that_lost_its_export_keeps_the_other_runs_file(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller, name="Ana")
    request = asked(service, caller)
    connections: list[Connection] = []

    def note(connection: Connection, *arguments: Any, **values: Any) -> Any:
        connections.append(connection)
        return complete_export_job(connection, *arguments, **values)

    def another_run() -> None:
        connections[0].close()
        assert run_export(service, request).ended == COMPLETED

    monkeypatch.setattr(export_file, "complete_export_job", note)
    own = service.bucket_of("process_export")
    client = ClientThatStoresButRaises(own.client, another_run)
    with pytest.raises(ServiceFault):
        run_export(service, request, bucket=Bucket(client, own.name))  # type: ignore[arg-type]
    assert names(exported(export_of(service, caller, request)).decode()) == ["Ana"]
