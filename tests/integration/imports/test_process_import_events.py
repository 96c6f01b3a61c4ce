"""Process events and keys of all kinds, including those of missing objects."""

import io
import json
from typing import Any

import pytest

from leads.errors import ServiceFault
from leads.s3.events import StoredFile
from leads.s3.keys import import_key
from tests.support.hostile_s3 import BucketThatHidesWhatIsGone
from tests.support.imports import counts
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import Caller, Service, s3_event

HEADER = "name,phone,email,source,lead_source,score,notes\n"


@pytest.mark.parametrize(
    "key",
    [
        "drop/../other/a.csv",
        "drop/-x/a.csv",
        "drop/a.csv",
        "imports/acme/x/upload.csv",
        "imports/acme/9999999/x.csv",
        "imports/acme/9999999/upload.csv",
    ],
)
def test_event_of_foreign_key_makes_no_job(service: Service, key: str) -> None:
    with service.owner() as connection:
        before = connection.query_value("SELECT count(*) FROM import_job")
        service.announce(StoredFile(key, "v1"))
        assert connection.query_value("SELECT count(*) FROM import_job") == before


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"Service": "Amazon S3", "Event": "s3:TestEvent"}])
@pytest.mark.parametrize("function", ["process_import", "process_export"])
@pytest.mark.fault("s3:TestEvent")
def test_event_without_files_is_only_logged(
    service: Service, log: io.StringIO, event: dict[str, Any], function: str
) -> None:
    service.handler(function)(event, FakeLambdaContext(function))
    (line,) = (json.loads(line) for line in log.getvalue().splitlines() if "_aws" not in line)
    assert (line["level"], line["message"]) == ("WARNING", "event without files")
    assert line["keys"] == sorted(event), "by which it is known for what it is"


def test_event_of_folder_mark_is_ignored(service: Service, caller: Caller) -> None:
    service.announce(service.put(f"drop/{caller.org}/", b""))
    assert service.request("GET", "/api/v1/leads/import/history", caller).json == []


def test_event_of_several_files_imports_each(service: Service, caller: Caller) -> None:
    files = [service.put(f"drop/{caller.org}/{n}.csv", f"{HEADER}A,{n},,web,,,\n".encode()) for n in (1, 2)]
    event = s3_event(service.bucket, *files)
    service.handler("process_import")(json.loads(json.dumps(event)), FakeLambdaContext("process_import"))
    assert len(service.leads(caller)) == 2


MALFORMED: list[Any] = [
    None,
    [],
    "text",
    {"Records": "none"},
    {"Records": [None, {}, {"s3": {}}, {"s3": {"object": {"key": 7}}}]},
]


@pytest.mark.fault("a malformed event")
@pytest.mark.parametrize("event", MALFORMED, ids=lambda event: json.dumps(event)[:30])
@pytest.mark.parametrize("function", ["process_import", "process_export"])
def test_malformed_event_is_logged_and_not_retried(
    service: Service, log: io.StringIO, function: str, event: Any
) -> None:
    service.handler(function)(event, FakeLambdaContext(function))
    assert "event without files" in log.getvalue()


@pytest.mark.fault("a malformed event")
def test_malformed_record_delays_no_other_record(service: Service, caller: Caller, log: io.StringIO) -> None:
    event = s3_event(
        service.bucket, service.put(f"drop/{caller.org}/a.csv", f"{HEADER}A,1,,web,,,\n".encode())
    )
    event["Records"].insert(0, {"s3": {"object": {}}})
    service.handler("process_import")(event, FakeLambdaContext("process_import"))
    assert len(service.leads(caller)) == 1
    assert "record of no stored object" in log.getvalue()


@pytest.mark.fault("events out of order")
def test_unordered_events_of_a_dropped_key_have_a_job_each(service: Service, caller: Caller) -> None:
    key = f"drop/{caller.org}/a.csv"
    first, second = (service.put(key, f"{HEADER}{name},{name},,web,,,\n".encode()) for name in ("1", "2"))
    service.announce(second)
    service.announce(first)
    assert [lead["name"] for lead in service.leads(caller)] == ["2", "1"]
    jobs = service.request("GET", "/api/v1/leads/import/history", caller).json
    assert [job["status"] for job in jobs] == ["COMPLETED", "COMPLETED"]


@pytest.mark.fault("events out of order")
def test_event_of_second_upload_that_comes_first_is_imported(
    service: Service, caller: Caller, log: io.StringIO
) -> None:
    """The job belongs to the object whose event comes first. The other object is logged."""
    job_id = service.post_csv(caller, f"{HEADER}A,1,,web,,,\n")
    first = service.version(import_key(caller.org, job_id))
    second = service.put(first.key, f"{HEADER}B,2,,web,,,\n".encode())
    service.announce(second)
    log.truncate(0)
    service.announce(first)
    assert [lead["name"] for lead in service.leads(caller)] == ["B"]
    logged = log.getvalue()
    assert '"outcome":"IGNORED"' in logged
    assert first.version in logged


@pytest.mark.fault("the same event again")
def test_repeated_event_does_nothing(service: Service, caller: Caller) -> None:
    job_id = service.post_csv(caller, HEADER + "A,0612345678,,web,,,\n", "CREATE_NEW")
    file = service.version(import_key(caller.org, job_id))
    for _ in range(3):
        service.announce(file)
    assert len(service.leads(caller)) == 1
    assert counts(service.job(caller, job_id)) == (1, 1, 0, 0)


@pytest.mark.fault("a second object for a finished job")
def test_second_object_of_an_ended_job_is_ignored(service: Service, caller: Caller, log: io.StringIO) -> None:
    job_id = service.post_csv(caller, HEADER + "A,1,,web,,,\n", "CREATE_NEW")
    key = import_key(caller.org, job_id)
    service.announce(service.version(key))
    second = service.put(key, (HEADER + "B,2,,web,,,\n").encode())
    log.truncate(0)
    log.seek(0)
    service.announce(second)
    assert [lead["name"] for lead in service.leads(caller)] == ["A"]
    line = json.loads(log.getvalue())
    assert (line["message"], line["outcome"]) == ("import ended", "IGNORED")
    assert (line["import_job_id"], line["version"]) == (job_id, second.version)


@pytest.mark.fault("an event for an object that is gone")
def test_missing_object_fails_its_job(service: Service, caller: Caller, log: io.StringIO) -> None:
    job_id = service.post_csv(caller, HEADER)
    file = service.version(import_key(caller.org, job_id))
    service.s3.client.delete_object(Bucket=service.bucket, Key=file.key, VersionId=file.version)
    service.announce(file)
    job = service.job(caller, job_id)
    assert (job["status"], job["failureReason"].split(".")[0]) == (
        "FAILED",
        "The file was deleted before it was imported",
    )
    line = json.loads(log.getvalue().splitlines()[-1])
    assert (line["message"], line["outcome"]) == ("import ended", "FILE_GONE")
    assert (line["import_job_id"], line["version"]) == (job_id, file.version)


@pytest.mark.fault("an event for an object that is gone")
@pytest.mark.parametrize("newer", [False, True])
def test_missing_object_that_s3_denies_fails_its_job(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, newer: bool
) -> None:
    """S3 distinguishes 404 from 403 only for callers that may list the bucket."""
    own = service.bucket_of("process_import")
    monkeypatch.setattr(service.module("process_import"), "bucket", BucketThatHidesWhatIsGone(own))
    job_id = service.post_csv(caller, HEADER)
    file = service.version(import_key(caller.org, job_id))
    service.s3.client.delete_object(Bucket=service.bucket, Key=file.key, VersionId=file.version)
    service.put(f"{file.key}.another", HEADER.encode())
    if newer:
        service.put(file.key, HEADER.encode())
    service.announce(file)
    job = service.job(caller, job_id)
    assert job["failureReason"] == "The file was deleted before it was imported. Send it again."


def test_existing_object_that_s3_denies_is_an_internal_fault(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = service.post_csv(caller, HEADER)
    file = service.version(import_key(caller.org, job_id))
    hiding = BucketThatHidesWhatIsGone(service.bucket_of("process_import"), hides=file.key)
    monkeypatch.setattr(service.module("process_import"), "bucket", hiding)
    with pytest.raises(ServiceFault):
        service.announce(file)
    assert service.job(caller, job_id)["status"] == "PROCESSING"
    monkeypatch.undo()
    service.announce(file)
    assert service.job(caller, job_id)["status"] == "COMPLETED"
