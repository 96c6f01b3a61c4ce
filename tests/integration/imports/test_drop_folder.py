"""Import files of partners, who have no API: the strategy by folder, and the result file."""

import gzip
import io
import json
import threading
from typing import Any

import pytest

from leads.domain.merge_strategy import MergeStrategy
from leads.errors import DatabaseFault, ServiceFault
from leads.jobs.outcome import COMPLETED
from leads.postgres.staging import Staging
from leads.s3.events import StoredFile
from tests.support.hostile_s3 import BucketThatRefuses, BucketThatStalls, ReaderThatStalls
from tests.support.imports import counts, download, report_of, run_import
from tests.support.service import Caller, Service

HEADER = "name,phone,email,source,lead_source,score,notes\n"
CSV = f"{HEADER}A,1,,web,,,\nB,1,,web,,,\n,2,,web,,,\n".encode()


def drop(service: Service, caller: Caller, path: str, content: bytes = CSV) -> StoredFile:
    """Store a dropped file, and announce it."""
    file = service.put(f"drop/{caller.org}/{path}", content)
    service.announce(file)
    return file


def jobs(service: Service, caller: Caller) -> list[dict[str, Any]]:
    """Return the organisation's jobs, oldest first."""
    listed = service.request("GET", "/api/v1/leads/import/history", caller).json
    return [service.job(caller, job["id"]) for job in reversed(listed)]


def only_job(service: Service, caller: Caller) -> dict[str, Any]:
    (job,) = jobs(service, caller)
    return job


def results(service: Service, caller: Caller) -> dict[str, dict[str, Any]]:
    """Return the partner's result files, by name."""
    folder = f"drop-results/{caller.org}/"
    found = {}
    for key in service.keys(folder):
        answer = service.s3.client.get_object(Bucket=service.bucket, Key=key)
        assert answer["ContentType"] == "application/json"
        found[key.removeprefix(folder)] = json.loads(answer["Body"].read())
    return found


def without_link(job: dict[str, Any]) -> dict[str, Any]:
    """Remove the link: each answer signs it anew, so two of them may differ."""
    return {name: value for name, value in job.items() if name != "reportUrl"}


def assert_result(service: Service, caller: Caller, filename: str) -> dict[str, Any]:
    """Check that the only job has a result equal to its details, and return the details."""
    job = only_job(service, caller)
    ((name, result),) = results(service, caller).items()
    assert name == f"{filename}.{job['id']}.json"
    assert without_link(result) == without_link(job)
    assert result["filename"] == filename
    if job["reportUrl"] is None:
        assert result["reportUrl"] is None
    else:
        assert report_of(result).text == report_of(job).text
    return job


def test_dropped_file_is_imported_once_per_put(service: Service, caller: Caller) -> None:
    key = f"drop/{caller.org}/fichier du lundi, été.csv"
    first = service.put(key, f"{HEADER}A,1,,web,,,\n".encode())
    second = service.put(key, f"{HEADER}B,2,,web,,,\n".encode())
    for file in (first, second, first):
        service.announce(file)
    assert [(job["createdBy"], job["filename"], job["successCount"]) for job in jobs(service, caller)] == [
        ("drop-folder", "fichier du lundi, été.csv", 1)
    ] * 2
    assert [lead["name"] for lead in service.leads(caller)] == ["A", "B"]
    assert len(results(service, caller)) == 2


@pytest.mark.parametrize(
    ("folder", "strategy", "outcome"),
    [
        ("", "SKIP", ((3, 1, 1, 1), ["A"])),
        *(
            (f"{strategy}/", strategy, outcome)
            for strategy, outcome in [
                ("SKIP", ((3, 1, 1, 1), ["A"])),
                ("OVERWRITE", ((3, 2, 1, 0), ["B"])),
                ("CREATE_NEW", ((3, 2, 1, 0), ["A", "B"])),
            ]
        ),
    ],
)
def test_drop_folder_selects_the_strategy(
    service: Service,
    caller: Caller,
    folder: str,
    strategy: str,
    outcome: tuple[tuple[int, int, int, int], list[str]],
) -> None:
    expected, names = outcome
    drop(service, caller, f"{folder}x.csv")
    job = assert_result(service, caller, "x.csv")
    assert (job["mergeStrategy"], counts(job)) == (strategy, expected)
    assert [lead["name"] for lead in service.leads(caller)] == names
    assert {lead["created_by"] for lead in service.leads(caller)} == {"drop-folder"}


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("x.csv.gz", gzip.compress(CSV)),
        ("X.CSV.GZ", gzip.compress(CSV)),
        ("OVERWRITE/x.csv.gz", gzip.compress(CSV[:30]) + gzip.compress(CSV[30:])),
        ("x.csv", gzip.compress(CSV)),
        ("x.csv.gz", CSV),
        ("x.CSV", CSV),
        (" x y.csv", CSV),
    ],
    ids=["gz", "capitals", "two members", "gz by its bytes", "gz by its name alone", "CSV", "spaces"],
)
def test_dropped_gzip_is_recognised_by_its_bytes(
    service: Service, caller: Caller, path: str, content: bytes
) -> None:
    drop(service, caller, path, content)
    job = assert_result(service, caller, path.rpartition("/")[2].strip())
    assert (job["status"], job["totalRows"], job["errorCount"]) == ("COMPLETED", 3, 1)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("x.xlsx", "Only .csv and .csv.gz files"),
        ("x", "Only .csv and .csv.gz files"),
        ("x.gz", "Only .csv and .csv.gz files"),
        ("x.csv.zip", "Only .csv and .csv.gz files"),
        ("SKIP/x.txt", "Only .csv and .csv.gz files"),
        ("sub/x.csv", ", ".join(MergeStrategy)),
        ("overwrite/x.csv", ", ".join(MergeStrategy)),
        ("OVERWRITE/deeper/x.csv", ", ".join(MergeStrategy)),
        ("/x.csv", ", ".join(MergeStrategy)),
    ],
)
def test_dropped_file_with_another_key_fails_with_advice(
    service: Service, caller: Caller, path: str, reason: str
) -> None:
    """Another suffix or folder. The sender's result says what to do."""
    drop(service, caller, path)
    job = assert_result(service, caller, path.rpartition("/")[2])
    assert (job["status"], job["reportUrl"], service.leads(caller)) == ("FAILED", None, [])
    assert reason in job["failureReason"]
    assert "send it again" in job["failureReason"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty"),
        (b"PK\x03\x04", "an Excel workbook"),
        (gzip.compress(CSV)[:-9], "damaged or incomplete"),
        (gzip.compress(gzip.compress(CSV)), "gzip-compressed twice"),
        (b'name,phone,source\nA,1,"web\n', "Row 2: a quote"),
    ],
    ids=["empty", "Excel", "gzip cut short", "gzip twice", "open quote"],
)
def test_dropped_file_that_is_no_csv_has_a_result_with_reason(
    service: Service, caller: Caller, content: bytes, reason: str
) -> None:
    drop(service, caller, "x.csv", content)
    job = assert_result(service, caller, "x.csv")
    assert (job["status"], service.leads(caller)) == ("FAILED", [])
    assert reason in job["failureReason"]


@pytest.mark.fault("an event for an object that is gone")
def test_missing_dropped_object_has_a_result_with_reason(service: Service, caller: Caller) -> None:
    service.announce(StoredFile(f"drop/{caller.org}/gone.csv", "no-such-version"))
    assert "deleted before it was imported" in assert_result(service, caller, "gone.csv")["failureReason"]


def test_drop_result_link_needs_no_token(service: Service, caller: Caller) -> None:
    drop(service, caller, "x.csv")
    (result,) = results(service, caller).values()
    assert download(result["reportUrl"]).data.startswith(b"row,outcome,reason,name")


def test_drop_result_of_fault_comes_with_the_third_attempt(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DatabaseFault("57P01")

    file = service.put(f"drop/{caller.org}/x.csv", CSV)
    with monkeypatch.context() as patched:
        patched.setattr(Staging, "merge", fail)
        for attempt in (1, 2, 3):
            assert results(service, caller) == {}, f"before attempt {attempt}"
            with pytest.raises(ServiceFault):
                service.announce(file)
    failed = assert_result(service, caller, "x.csv")
    assert (failed["status"], "send it again" in failed["failureReason"]) == ("FAILED", True)

    service.announce(file)
    assert assert_result(service, caller, "x.csv")["status"] == "COMPLETED", "a redrive tells its result, too"


def test_missing_drop_result_is_written_by_next_delivery(service: Service, caller: Caller) -> None:
    file = drop(service, caller, "CREATE_NEW/x.csv")
    for key in service.keys(f"drop-results/{caller.org}/"):
        service.s3.client.delete_object(Bucket=service.bucket, Key=key)
    service.announce(file)
    assert_result(service, caller, "x.csv")
    assert [lead["name"] for lead in service.leads(caller)] == ["A", "B"]


def test_refused_drop_result_is_written_by_next_delivery(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    file = service.put(f"drop/{caller.org}/CREATE_NEW/x.csv", CSV)
    refusing = BucketThatRefuses(service.bucket_of("process_import"), "drop-results/")
    with monkeypatch.context() as patched:
        patched.setattr(service.module("process_import"), "bucket", refusing)
        with pytest.raises(ServiceFault, match="deliver the event again"):
            service.announce(file)
    logged = [json.loads(line)["message"] for line in log.getvalue().splitlines()]
    assert logged == ["drop result not written", "import ended"], "the import has not failed"
    assert (only_job(service, caller)["status"], results(service, caller)) == (COMPLETED, {})
    service.announce(file)
    assert_result(service, caller, "x.csv")
    assert [lead["name"] for lead in service.leads(caller)] == ["A", "B"]


def test_drop_result_of_locked_job_is_written_by_its_run(service: Service, caller: Caller) -> None:
    file = service.put(f"drop/{caller.org}/x.csv", CSV)
    stalling = ReaderThatStalls(CSV)
    bucket = BucketThatStalls(service.bucket_of("process_import"), stalling)
    first = threading.Thread(target=run_import, args=(service, file), kwargs={"bucket": bucket})
    first.start()
    assert stalling.reached_end.wait(20)
    second = threading.Thread(target=service.announce, args=(file,))
    second.start()
    assert results(service, caller) == {}
    stalling.may_end.set()
    first.join()
    second.join()
    assert_result(service, caller, "x.csv")
