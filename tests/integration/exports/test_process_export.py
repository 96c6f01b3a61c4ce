"""Process the request of an asynchronous export: its file is written once, for its organisation only."""

import json
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from leads.domain.job_ref import export_ref
from leads.jobs.outcome import COMPLETED, IGNORED
from leads.postgres.locks import lock_job
from leads.s3.events import StoredFile
from leads.s3.keys import export_request_key
from tests.support.exports import (
    ROUTE,
    announce_export,
    asked,
    attempts_of,
    export_of,
    exported,
    job_id,
    names,
    run_export,
    store,
    versions,
    wait_until_free,
)
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import Caller, Service


def test_export_with_respond_async_is_handed_over(service: Service, caller: Caller) -> None:
    store(service, caller)
    answer = service.request("GET", ROUTE, caller, headers={"Prefer": "respond-async"})
    id = answer.json["id"]
    assert answer.status == 202
    assert answer.json | {"filename": ""} == {
        "id": id,
        "status": "PENDING",
        "url": None,
        "filename": "",
        "rowCount": 0,
        "sizeBytes": 0,
        "expiresAt": None,
    }
    expected = {
        "Location": f"{ROUTE}/{id}",
        "Retry-After": "1",
        "Preference-Applied": "respond-async",
        "Cache-Control": "no-store",
    }
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert service.keys(f"export-requests/{caller.org}/") == [f"export-requests/{caller.org}/{id}.json"]
    assert service.keys(f"exports/{caller.org}/") == []
    polled = service.request("GET", f"{ROUTE}/{id}", caller)
    assert (polled.status, polled.json, polled.headers["Retry-After"]) == (200, answer.json, "1")


def test_export_request_event_writes_the_file(service: Service, caller: Caller) -> None:
    store(service, caller, name="Ana", status="NEW")
    store(service, caller, name="Zoé", status="WON")
    store(service, Caller(), name="Theirs", status="WON")
    request = asked(service, caller, status="won", columns="phone,name")

    announce_export(service, request)

    answer = service.request("GET", f"{ROUTE}/{job_id(request)}", caller)
    assert "Retry-After" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    content = exported(answer.json)
    assert content.decode() == "phone,name\n0612345678,Zoé\n"
    assert (answer.json["rowCount"], answer.json["sizeBytes"]) == (1, len(content))
    assert service.keys(f"exports/{caller.org}/") == [
        f"exports/{caller.org}/{job_id(request)}/{answer.json['filename']}"
    ]
    assert attempts_of(service, request) == 1


@pytest.mark.parametrize("other_version", [False, True], ids=["the same object", "another object"])
@pytest.mark.fault("the same event again")
def test_repeated_event_of_an_ended_export_does_nothing(
    service: Service, caller: Caller, other_version: bool
) -> None:
    store(service, caller)
    request = asked(service, caller)
    announce_export(service, request)
    export, stored = export_of(service, caller, request), versions(service, f"exports/{caller.org}/")
    assert len(stored) == 1
    store(service, caller, name="Later")
    wait_until_free(service, request)

    another = service.put(request.key, b"{}") if other_version else request
    assert run_export(service, another).ended == IGNORED
    announce_export(service, another)

    assert versions(service, f"exports/{caller.org}/") == stored
    after = export_of(service, caller, request)
    assert {name: after[name] for name in ("status", "rowCount", "sizeBytes", "filename")} == {
        name: export[name] for name in ("status", "rowCount", "sizeBytes", "filename")
    }
    assert attempts_of(service, request) == 1


def test_export_event_of_malformed_key_does_nothing(service: Service, caller: Caller) -> None:
    request = asked(service, caller)
    org, id = caller.org, job_id(request)
    foreign = [
        "export-requests/x.json",
        f"export-requests/{id}.json",
        f"export-requests/-{org}/{id}.json",
        f"export-requests/../{org}/{id}.json",
        f"export-requests/{org}/{id}",
        f"export-requests/{org}/{id}.json/x",
        f"export-requests/{org}/0{id}.json",
        f"export-requests/{org}/x.json",
        f"imports/{org}/{id}/upload.csv",
        f"exports/{org}/{id}/leads.csv",
        f"export-requests/{org}/{2**63}.json",
    ]
    for key in foreign:
        outcome = run_export(service, StoredFile(key, "v1"))
        assert (outcome.job_id, outcome.ended) == (None, IGNORED), key
    announce_export(service, *(StoredFile(key, "v1") for key in foreign))
    assert attempts_of(service, request) == 0
    assert service.keys(f"exports/{org}/") == []
    assert export_of(service, caller, request)["status"] == "PENDING"


def test_export_event_of_unknown_or_foreign_id_does_nothing(service: Service, caller: Caller) -> None:
    request = asked(service, caller)
    other = Caller()
    for key in (
        export_request_key(other.org, job_id(request)),
        export_request_key(caller.org, job_id(request) + 1_000_000),
    ):
        assert run_export(service, StoredFile(key, request.version)).ended == IGNORED, key
        announce_export(service, StoredFile(key, request.version))
    assert service.keys(f"exports/{other.org}/") + service.keys(f"exports/{caller.org}/") == []
    assert (attempts_of(service, request), export_of(service, caller, request)["status"]) == (0, "PENDING")


@pytest.mark.parametrize("event", [{}, {"Records": []}, {"Service": "Amazon S3", "Event": "s3:TestEvent"}])
@pytest.mark.fault("s3:TestEvent")
def test_export_event_without_files_does_nothing(service: Service, event: dict[str, Any]) -> None:
    service.handler("process_export")(event, FakeLambdaContext("process_export"))


def test_event_of_several_requests_exports_each(service: Service, caller: Caller) -> None:
    requests = [asked(service, caller, columns=column) for column in ("id", "name")]
    announce_export(service, *requests)
    files = [exported(export_of(service, caller, request)) for request in requests]
    assert files == [b"id\n", b"name\n"]


@pytest.mark.fault("the same event at the same instant")
def test_export_locked_by_another_run_is_not_changed(service: Service, caller: Caller) -> None:
    store(service, caller)
    request = asked(service, caller)
    with service.app() as another_run, ThreadPoolExecutor() as threads:
        lock_job(another_run, export_ref("", job_id(request)))
        duplicates: list[Future[Any]] = [
            threads.submit(run_export, service, request),
            threads.submit(announce_export, service, request),
        ]
        while wait(duplicates, timeout=0.05).not_done:
            another_run.query("SELECT 1")
        outcome, _ = (duplicate.result() for duplicate in duplicates)
        assert (outcome.job_id, outcome.ended) == (job_id(request), IGNORED)
        assert attempts_of(service, request) == 0
        assert service.keys(f"exports/{caller.org}/") == []
    wait_until_free(service, request)
    assert run_export(service, request).ended == COMPLETED


def test_export_ignores_a_changed_request_object(service: Service, caller: Caller) -> None:
    store(service, caller)
    request = asked(service, caller, status="WON", columns="name")
    wider = json.dumps({"columns": ["notes"], "org_id": Caller().org}).encode()
    announce_export(service, service.put(request.key, wider))
    export = export_of(service, caller, request)
    assert exported(export) == b"name\n"


def test_export_has_the_leads_at_the_time_of_the_run(service: Service, caller: Caller) -> None:
    request = asked(service, caller)
    store(service, caller, name="Late")
    announce_export(service, request)
    assert names(exported(export_of(service, caller, request)).decode()) == ["Late"]
