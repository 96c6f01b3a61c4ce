"""process_import: which events and which keys make a job, and whose."""

import json
from typing import Any

import pytest

from leads.use_cases.process_import import StoredFile
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
def test_foreign_keys_make_no_job(service: Service, key: str) -> None:
    with service.owner() as connection:
        before = connection.value("SELECT count(*) FROM import_job")
        service.announce(StoredFile(key, "v1"))
        assert connection.value("SELECT count(*) FROM import_job") == before


def test_dropped_files_are_imported_each_put_once(service: Service, caller: Caller) -> None:
    key = f"drop/{caller.org}/fichier du lundi, été.csv"
    first = service.put(key, (HEADER + "A,1,,web,,,\n").encode())
    second = service.put(key, (HEADER + "B,2,,web,,,\n").encode())
    for file in (first, second, first):
        service.announce(file)
    jobs = service.request("GET", "/api/v1/leads/import/history", caller).json
    assert [(job["createdBy"], job["filename"], job["successCount"]) for job in jobs] == [
        ("drop-folder", "fichier du lundi, été.csv", 1)
    ] * 2
    assert [lead["name"] for lead in service.leads(caller)] == ["A", "B"]


def test_drop_folder_names_the_strategy(service: Service, caller: Caller) -> None:
    for name in ("A", "B"):
        service.announce(
            service.put(f"drop/{caller.org}/OVERWRITE/x.csv", f"{HEADER}{name},1,,web,,,\n".encode())
        )
    assert [lead["name"] for lead in service.leads(caller)] == ["B"]


@pytest.mark.parametrize("path", ["x.xlsx", "sub/x.csv", "OVERWRITE/deeper/x.csv"])
def test_dropped_file_of_another_shape_fails_with_what_to_do(
    service: Service, caller: Caller, path: str
) -> None:
    service.announce(service.put(f"drop/{caller.org}/{path}", HEADER.encode()))
    (job,) = service.request("GET", "/api/v1/leads/import/history", caller).json
    assert job["status"] == "FAILED"
    assert "send it again" in job["failureReason"]


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"Service": "Amazon S3", "Event": "s3:TestEvent"}])
def test_events_without_files_do_nothing(service: Service, event: dict[str, Any]) -> None:
    service.handler("process_import")(event, FakeLambdaContext("process_import"))


def test_folder_marks_are_ignored(service: Service, caller: Caller) -> None:
    service.announce(service.put(f"drop/{caller.org}/", b""))
    assert service.request("GET", "/api/v1/leads/import/history", caller).json == []


def test_one_event_may_carry_several_files(service: Service, caller: Caller) -> None:
    files = [service.put(f"drop/{caller.org}/{n}.csv", f"{HEADER}A,{n},,web,,,\n".encode()) for n in (1, 2)]
    event = s3_event(service.bucket, *files)
    service.handler("process_import")(json.loads(json.dumps(event)), FakeLambdaContext("process_import"))
    assert len(service.leads(caller)) == 2
