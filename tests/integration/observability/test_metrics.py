"""Check the metrics that the real handlers print for CloudWatch, for each outcome."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from leads.domain.failure_code import FailureCode
from leads.errors import DatabaseFault, ExportTooLong, ServiceFault
from leads.import_engine.import_file import FileImport
from leads.observability import NAMESPACE, metrics
from leads.postgres.import_jobs import fail_import_job
from leads.postgres.staging import Staging
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import import_key
from leads.use_cases import export_file, export_leads, process_export
from tests.integration.imports.test_import_leads import BINARY
from tests.integration.imports.test_import_leads import ROUTE as IMPORT_ROUTE
from tests.support.expiry import (
    EVENT_GONE,
    EXPORT,
    IMPORT,
    UPLOAD_GONE,
    dropped,
    invoke_expire_jobs,
    make_past,
    unattended,
    upload,
)
from tests.support.exports import ROUTE as EXPORT_ROUTE
from tests.support.exports import announce_export, asked, store, wait_until_free
from tests.support.exports import job_id as export_id
from tests.support.hostile_s3 import BucketThatRefuses
from tests.support.imports import posted
from tests.support.keyed import key, post
from tests.support.log_lines import Printed, printed
from tests.support.service import ROOT, Caller, Service
from tests.support.waiting import wait_until

CSV = b"name,phone,source\nA,0612345678,web\nB,0612345678,web\n,0612345679,web\n"
ROWS = {"ImportsCompleted": 1, "RowsImported": 1, "RowsRejected": 1, "RowsSkipped": 1}
SECONDS = {"ImportSeconds", "ExportSeconds"}


@pytest.fixture
def counted(
    service: Service, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[[], dict[str, float]]]:
    """Return a function that returns the metrics since its last call. A duration counts as True."""
    service.handler("process_import")
    # Tests that run use cases without their handlers do not flush their metrics.
    metrics.provider.clear_metrics()

    def read(found: Printed) -> dict[str, float]:
        values: dict[str, float] = {}
        for metric in found.metrics():
            values[metric["name"]] = values.get(metric["name"], 0) + sum(metric["value"])
        for name in SECONDS & values.keys():
            assert 0 < values[name] < 60
            values[name] = True
        return values

    with printed(capsys, caplog) as found:
        yield lambda: read(found)


def fail(*_: object, **__: object) -> Any:
    raise DatabaseFault(None)


def reject(*_: object, **__: object) -> Any:
    raise DatabaseFault("42501")


def break_off(*_: object, **__: object) -> Any:
    raise ServiceFault("S3 broke off")


def run_out_of_time(*_: object, **__: object) -> Any:
    raise ExportTooLong("out of time")


def wait_until_unlocked(service: Service, caller: Caller) -> None:
    """Wait for the server to end closed connections, and with them the locks of the organisation's jobs."""
    locked = (
        "SELECT EXISTS (SELECT FROM pg_locks JOIN import_job AS job ON locktype = 'advisory' "
        "AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('import_job ' || job.id, 0) "
        "WHERE job.org_id = :org)"
    )
    with service.owner() as connection:
        wait_until(lambda: not connection.query_value(locked, org=caller.org))


def failing(send: Callable[[], object]) -> None:
    with pytest.raises(ServiceFault):
        send()


def test_import_that_completes_counts_rows_and_duration(
    service: Service, caller: Caller, counted: Callable[[], dict[str, float]]
) -> None:
    file = posted(service, caller, CSV)
    assert counted() == {}
    service.announce(file)
    assert counted() == ROWS | {"ImportSeconds": True}
    service.announce(file)
    assert counted() == {"EventsIgnored": 1}


def test_imports_that_fail_count_failures_and_own_faults(
    service: Service,
    caller: Caller,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service.announce(posted(service, caller, b"PK\x03\x04"))
    assert counted() == {"ImportsFailed": 1, "ImportSeconds": True}, (
        "the file's fault is no fault of the service"
    )
    service.announce(service.put("imports/unknown/0/upload.csv", b""))
    assert counted() == {"ForeignKeys": 1}
    monkeypatch.setattr(Staging, "merge", reject)
    service.announce(posted(service, caller, CSV))
    assert counted() == {"ImportsFailed": 1, "ImportSeconds": True, "ImportFaults": 1}


def test_dry_run_counts_no_rows(
    service: Service, caller: Caller, counted: Callable[[], dict[str, float]]
) -> None:
    """A dry run stores no row."""
    service.announce(posted(service, caller, CSV, dryRun="true"))
    assert counted() == {"ImportsCompleted": 1, "DryRuns": 1, "ImportSeconds": True}


def test_import_whose_commit_answer_is_lost_counts_rows_once(
    service: Service,
    caller: Caller,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    complete, calls = FileImport._complete, []

    def lose(*arguments: Any) -> None:
        calls.append(arguments)
        complete(*arguments)
        raise DatabaseFault(None)

    monkeypatch.setattr(FileImport, "_complete", lose)
    file = posted(service, caller, CSV)
    service.announce(file)
    assert counted() == ROWS | {"ImportSeconds": True, "ImportRetries": 1}
    assert len(calls) == 1
    assert len(service.leads(caller)) == 1
    service.announce(file)
    assert counted() == {"EventsIgnored": 1}


def test_import_that_another_run_ended_is_counted_as_ignored(
    service: Service,
    caller: Caller,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = posted(service, caller, CSV)

    def end_first(*_: object) -> Any:
        with service.app() as connection:
            id = int(file.key.split("/")[2])
            fail_import_job(connection, caller.org, id, FailureCode.NOT_STORED, "x")
        raise DatabaseFault("23514")

    monkeypatch.setattr(Staging, "merge", end_first)
    service.announce(file)
    assert counted() == {"EventsIgnored": 1, "ImportFaults": 1}


def test_imported_file_without_s3_answer_is_not_counted_failed(
    service: Service,
    caller: Caller,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S3 stored the file, but its answer was lost."""
    put = Bucket.put

    def lose_the_answer(bucket: Bucket, key: str, *arguments: Any) -> str:
        version = put(bucket, key, *arguments)
        if key.startswith("imports/"):
            service.announce(StoredFile(key, version))
            raise ServiceFault("S3 did not store it")
        return version

    monkeypatch.setattr(Bucket, "put", lose_the_answer)
    assert service.request("POST", IMPORT_ROUTE, caller, headers=BINARY, body=CSV).status == 500
    assert counted() == ROWS | {"ImportSeconds": True}


@pytest.mark.usefixtures("no_unfinished_jobs")
def test_jobs_that_expire_are_counted_as_failed(
    service: Service, caller: Caller, counted: Callable[[], dict[str, float]]
) -> None:
    make_past(service, IMPORT, upload(service, caller), created_at=UPLOAD_GONE + 1)
    _, id = dropped(service, caller, CSV)
    make_past(service, IMPORT, id, created_at=EVENT_GONE)
    export = export_id(asked(service, caller))
    make_past(service, EXPORT, export, created_at=EVENT_GONE)
    for table, job in ((IMPORT, id), (EXPORT, export)):
        unattended(service, table, job)
    counted()
    invoke_expire_jobs(service)
    assert counted() == {
        "ImportsFailed": 2,
        "ExportsFailed": 1,
        "JobsExpired": 3,
        "JobsBrokenOff": 2,
    }


def test_retries_of_an_import_are_counted_until_it_fails(
    service: Service,
    caller: Caller,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = posted(service, caller, CSV)
    for fault, expected in (
        (fail, {"ImportRetries": 1, "ImportFaults": 1}),
        (break_off, {"ImportRetries": 1, "ImportFaults": 1}),
        (break_off, {"ImportRetries": 1, "ImportFaults": 1, "ImportsFailed": 1}),
    ):
        monkeypatch.setattr(Staging, "merge", fault)
        failing(lambda: service.announce(file))
        assert counted() == expected, "once more within the run, then another run"
        wait_until_unlocked(service, caller)
    monkeypatch.undo()
    service.announce(file)
    assert counted() == ROWS | {"ImportSeconds": True, "ImportRetries": 1}


def test_results_of_dropped_files_not_written_are_counted(
    service: Service,
    caller: Caller,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for function in ("process_import", "expire_jobs"):
        refusing = BucketThatRefuses(service.bucket_of(function), "drop-results/")
        monkeypatch.setattr(service.module(function), "bucket", refusing)
    file = service.put(f"drop/{caller.org}/x.csv", CSV)
    failing(lambda: service.announce(file))
    assert counted() == ROWS | {"DropResultsNotWritten": 1, "ImportFaults": 1, "ImportSeconds": True}

    broken = service.put(f"drop/{caller.org}/CREATE_NEW/x.csv", CSV)
    with monkeypatch.context() as patched:
        patched.setattr(Staging, "merge", break_off)
        for _ in range(3):
            failing(lambda: service.announce(broken))
            wait_until_unlocked(service, caller)
    seen = counted()
    assert (seen["ImportsFailed"], seen["DropResultsNotWritten"]) == (1, 1), (
        "only a job that has ended has a result"
    )

    _, id = dropped(service, caller, CSV)
    make_past(service, IMPORT, id, created_at=EVENT_GONE)
    failing(lambda: invoke_expire_jobs(service))
    assert counted()["DropResultsNotWritten"] >= 1
    monkeypatch.undo()
    invoke_expire_jobs(service)
    seen = counted()
    assert seen["JobsExpired"] >= 1
    assert "DropResultsNotWritten" not in seen


def test_metric_without_a_kind_has_no_kind_dimension(
    service: Service,
    caller: Caller,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusing = BucketThatRefuses(service.bucket_of("expire_jobs"), "drop-results/")
    monkeypatch.setattr(service.module("expire_jobs"), "bucket", refusing)
    _, id = dropped(service, caller, CSV)
    make_past(service, IMPORT, id, created_at=EVENT_GONE)
    metrics.provider.clear_metrics()
    with printed(capsys, caplog) as found:
        failing(lambda: invoke_expire_jobs(service))
        kinds = {metric["name"]: metric.get("kind") for metric in found.metrics()}
    assert kinds["DropResultsNotWritten"] is None
    monkeypatch.undo()
    invoke_expire_jobs(service)


def test_repeated_requests_and_unstored_files_are_counted(
    service: Service,
    caller: Caller,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise ServiceFault("S3 did not store it")

    again = key()
    for expected in ({}, {"RequestsRepeated": 1}):
        id = post(service, caller, again).json["importJobId"]
        assert counted() == expected
    assert service.version(import_key(caller.org, id))
    monkeypatch.setattr(Bucket, "put", refuse)
    assert service.request("POST", IMPORT_ROUTE, caller, headers=BINARY, body=CSV).status == 500
    assert counted() == {"ImportsFailed": 1}


def test_exports_that_complete_count_rows_and_duration(
    service: Service, caller: Caller, counted: Callable[[], dict[str, float]]
) -> None:
    for name in ("Ana", "Bob"):
        store(service, caller, name=name)
    done = {"ExportsCompleted": 1, "RowsExported": 2, "ExportSeconds": True}
    assert service.request("GET", EXPORT_ROUTE, caller).status == 303
    assert counted() == done
    request = asked(service, caller)
    assert counted() == {"ExportsHandedOver": 1}
    announce_export(service, request)
    assert counted() == done
    announce_export(service, request)
    assert counted() == {"EventsIgnored": 1}
    announce_export(service, service.put("export-requests/unknown/x.json", b"{}"))
    assert counted() == {"ForeignKeys": 1}


def test_exports_that_fail_count_retries_and_failures(
    service: Service,
    caller: Caller,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request, late = asked(service, caller), asked(service, caller)
    counted()
    with monkeypatch.context() as patched:
        patched.setattr(export_leads, "export_file", reject)
        assert service.request("GET", EXPORT_ROUTE, caller).status == 500
    assert counted() == {"ExportsFailed": 1}

    with monkeypatch.context() as patched:
        patched.setattr(process_export, "export_file", run_out_of_time)
        announce_export(service, late)
    assert counted() == {"ExportsFailed": 1, "ExportSeconds": True}

    with monkeypatch.context() as patched:
        patched.setattr(export_file, "copy_leads", fail)
        for expected in (
            {"ExportRetries": 1, "ExportFaults": 1},
            {"ExportRetries": 2, "ExportFaults": 1},
            {"ExportRetries": 2, "ExportFaults": 1, "ExportsFailed": 1},
        ):
            failing(lambda: announce_export(service, request))
            assert counted() == expected
            wait_until_free(service, request)
    announce_export(service, request)
    seen = counted()
    assert (seen["ExportRetries"], seen["ExportsCompleted"], seen["RowsExported"]) == (1, 1, 0)


def test_every_metric_is_explained_in_the_operations_manual() -> None:
    sources = [*(ROOT / "functions").glob("*/app.py"), *(ROOT / "layers/shared/leads").rglob("*.py")]
    code = "".join(path.read_text() for path in sources)
    explained = (ROOT / "docs/operations.md").read_text().split("## Metrics")[1].split("\n## ")[0]
    counted = set(re.findall(r'(?:increment\(|record_duration\(|_metric=|EventWords\("\w+", )"(\w+)"', code))
    assert counted
    assert f"`{NAMESPACE}`" in explained
    assert counted == {
        name for row in re.findall(r"^\| (`.*?) \|", explained, re.M) for name in re.findall(r"`(\w+)`", row)
    }
