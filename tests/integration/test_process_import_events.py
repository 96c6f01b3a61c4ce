"""process_import: which events and which keys make a job, and whose."""

import json
from typing import Any

import pytest

from leads.s3.events import StoredFile
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


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"Service": "Amazon S3", "Event": "s3:TestEvent"}])
@pytest.mark.fault("s3:TestEvent")
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
