"""Idempotency-Key: a request that is sent again finds the job of the first one, and begins no other."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from leads.errors import ServiceFault
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import import_key
from tests.integration.test_import_leads import BINARY, ROUTE, assert_problem
from tests.support.expiry import IMPORT, UPLOAD_GONE, how_it_ended, invoke_expire_jobs, make_past, stored_job
from tests.support.imports import posted, run_import
from tests.support.service import Answer, Caller, Service, multipart
from tests.support.waiting import wait_until

CSV = b"name,phone,source\nA,0612345678,web\n"
DAY = 24 * 3600


def key() -> str:
    """One that no other request has."""
    return f'"{uuid4()}"'


def post(service: Service, caller: Caller, key: str, content: bytes = CSV, **query: str) -> Answer:
    """Sends a file under a key and does not wait for it."""
    headers = BINARY | {"Prefer": "respond-async", "Idempotency-Key": key}
    return service.request("POST", ROUTE, caller, query=query, headers=headers, body=content)


def upload(service: Service, caller: Caller, key: str, **wanted: object) -> Answer:
    """Asks under a key where to put a file."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    body = json.dumps({"filename": "a.csv"} | wanted).encode()
    return service.request("POST", f"{ROUTE}/uploads", caller, headers=headers, body=body)


def job_id(answer: Answer) -> int:
    assert answer.status in (200, 201, 202), answer
    return int(answer.json["importJobId"])


def announce_all(service: Service, caller: Caller, id: int) -> None:
    """Announces every version of a job's file, as S3 does."""
    listed = service.s3.client.list_object_versions(Bucket=service.bucket, Prefix=import_key(caller.org, id))
    for version in listed["Versions"]:
        run_import(service, StoredFile(version["Key"], version["VersionId"]))


def jobs(service: Service, caller: Caller) -> list[Any]:
    listed: list[Any] = service.request("GET", f"{ROUTE}/history", caller).json
    return listed


def test_sent_again_a_request_gets_the_first_job_and_its_result(service: Service, caller: Caller) -> None:
    again = key()
    first = post(service, caller, again, mergeStrategy="CREATE_NEW")
    repeated = post(service, caller, again, mergeStrategy="CREATE_NEW")
    assert (repeated.status, repeated.json) == (202, first.json)
    assert repeated.headers["Location"] == first.headers["Location"]

    announce_all(service, caller, job_id(first))
    ended = post(service, caller, again, mergeStrategy="CREATE_NEW")
    assert (ended.status, job_id(ended), ended.json["status"]) == (200, job_id(first), "COMPLETED")
    assert ended.json["successCount"] == 1
    announce_all(service, caller, job_id(first))
    assert len(service.leads(caller)) == len(jobs(service, caller)) == 1


def test_forms_of_one_file_are_one_request_whatever_their_boundary(service: Service, caller: Caller) -> None:
    again = key()
    ids = []
    for boundary in (b"----leads-io-test", b"----another-one"):
        headers, body = multipart(CSV, mergeStrategy="OVERWRITE")
        headers = {
            "Content-Type": headers["Content-Type"].replace("----leads-io-test", boundary.decode()),
            "Prefer": "respond-async",
            "Idempotency-Key": again,
        }
        body = body.replace(b"----leads-io-test", boundary)
        ids.append(job_id(service.request("POST", ROUTE, caller, headers=headers, body=body)))
    assert ids[0] == ids[1]


def test_a_file_that_is_none_is_told_again(service: Service, caller: Caller) -> None:
    again = key()
    id = job_id(post(service, caller, again, b"PK\x03\x04"))
    announce_all(service, caller, id)
    document = assert_problem(post(service, caller, again, b"PK\x03\x04"), 400, "Excel workbook")
    assert document["importJobId"] == id


@pytest.mark.parametrize(
    ("content", "query"),
    [
        (CSV + b"B,0612345679,web\n", {}),
        (CSV, {"mergeStrategy": "OVERWRITE"}),
        (CSV, {"dryRun": "true"}),
        (CSV, {"filename": "another.csv"}),
    ],
)
def test_a_key_of_another_request_is_refused(
    service: Service, caller: Caller, content: bytes, query: dict[str, str]
) -> None:
    again = key()
    first = job_id(post(service, caller, again))
    assert_problem(post(service, caller, again, content, **query), 409, "Take a new key for each import")
    assert [job["id"] for job in jobs(service, caller)] == [first]
    assert job_id(post(service, caller, again)) == first


def test_a_key_of_the_other_route_is_refused(service: Service, caller: Caller) -> None:
    imported, uploaded = key(), key()
    first = job_id(post(service, caller, imported, filename="a.csv"))
    second = job_id(upload(service, caller, uploaded))
    assert_problem(upload(service, caller, imported), 409, "the other route")
    assert_problem(post(service, caller, uploaded, filename="a.csv"), 409, "the other route")
    assert {job["id"] for job in jobs(service, caller)} == {first, second}


def test_a_malformed_key_leaves_nothing_behind(service: Service, caller: Caller) -> None:
    for bad in ("", '"a', "a b", "x" * 256):
        assert_problem(post(service, caller, bad), 400, "Idempotency-Key must be one text")
        assert_problem(upload(service, caller, bad), 400, "Idempotency-Key must be one text")
    assert jobs(service, caller) == []


def test_an_upload_asked_for_again_is_the_same_job_with_a_form_for_its_file(
    service: Service, caller: Caller
) -> None:
    again = key()
    first, repeated = (upload(service, caller, again, mergeStrategy="OVERWRITE") for _ in range(2))
    assert repeated.status == 201
    assert repeated.json.keys() == first.json.keys() == {"importJobId", "upload", "expiresAt"}
    assert repeated.json["upload"]["fields"]["key"] == import_key(caller.org, job_id(first))
    assert repeated.headers["Location"] == first.headers["Location"]
    for other in ({"filename": "b.csv"}, {"mergeStrategy": "SKIP"}, {"dryRun": True}):
        answer = upload(service, caller, again, **{"mergeStrategy": "OVERWRITE"} | other)
        assert_problem(answer, 409, "came before")
    assert len(jobs(service, caller)) == 1


def test_requests_at_the_same_instant_have_one_job(service: Service, caller: Caller) -> None:
    service.handler("import_leads")
    again = key()
    with ThreadPoolExecutor(8) as callers:
        ids = set(callers.map(lambda _: job_id(post(service, caller, again)), range(8)))
    assert len(ids) == 1
    announce_all(service, caller, *ids)
    assert len(service.leads(caller)) == len(jobs(service, caller)) == 1


def test_a_request_waits_for_one_that_has_not_committed(service: Service, caller: Caller) -> None:
    """The constraint decides, not what the second request can see: it sees nothing of the first one's job."""
    again = key()
    with service.owner() as other, ThreadPoolExecutor(1) as callers:
        with other.transaction(caller.org):
            other.rows(
                "INSERT INTO import_job (org_id, filename, merge_strategy, created_by, idempotency_key) "
                "VALUES (:org, 'x', 'SKIP', 'x', :key)",
                org=caller.org,
                key=again.strip('"'),
            )
            answer = callers.submit(post, service, caller, again)
            waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)"
            with service.owner() as looking:
                wait_until(lambda: looking.value(waiting))
            assert not answer.done()
        id = job_id(answer.result(30))
    assert [job["id"] for job in jobs(service, caller)] == [id]


def test_organisations_share_no_keys(service: Service) -> None:
    ours, theirs, again = Caller(), Caller(), key()
    assert job_id(post(service, ours, again)) != job_id(post(service, theirs, again, CSV + b"B,1,web\n"))
    for caller in (ours, theirs):
        assert len(jobs(service, caller)) == 1


def test_users_of_an_organisation_share_its_keys(service: Service, caller: Caller) -> None:
    again = key()
    colleague = Caller(org=caller.org, role="PRO", user="bob@agency.example")
    assert job_id(post(service, caller, again)) == job_id(post(service, colleague, again))


def test_a_key_lives_a_day_and_then_begins_another_job(service: Service, caller: Caller) -> None:
    again, other = key(), key()
    first = job_id(post(service, caller, again))
    old = job_id(post(service, caller, other))
    make_past(service, IMPORT, first, created_at=DAY - 60)
    assert job_id(post(service, caller, again)) == first
    for id in (first, old):
        make_past(service, IMPORT, id, created_at=DAY + 1)
    second = job_id(post(service, caller, again, CSV + b"B,0612345679,web\n"))
    assert second != first
    kept = [stored_job(service, IMPORT, id) for id in (first, old, second)]
    assert [job["idempotency_key"] for job in kept] == [None, None, again.strip('"')]
    assert [job["file_digest"] is None for job in kept] == [True, True, False]


def test_a_job_whose_file_was_not_stored_begins_again(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Bucket.put

    def store_and_fail(bucket: Bucket, key: str, body: bytes, content_type: str) -> None:
        put(bucket, key, body, content_type)
        raise ServiceFault("S3 did not answer")

    again = key()
    monkeypatch.setattr(Bucket, "put", store_and_fail)
    assert_problem(post(service, caller, again), 500, "on our side")
    (job,) = jobs(service, caller)
    assert job["status"] == "FAILED"
    monkeypatch.undo()
    repeated = post(service, caller, again)
    assert (job_id(repeated), repeated.json["status"]) == (job["id"], "PENDING")
    announce_all(service, caller, job["id"])
    assert service.job(caller, job["id"])["status"] == "COMPLETED"
    assert len(service.leads(caller)) == 1, "though two objects were stored"


def test_a_job_that_failed_by_a_fault_of_ours_begins_again_and_its_redrive_does_nothing(
    service: Service, caller: Caller
) -> None:
    again = key()
    id = job_id(post(service, caller, again, mergeStrategy="CREATE_NEW"))
    letter = service.version(import_key(caller.org, id))
    with service.owner() as connection:
        connection.rows(
            "UPDATE import_job SET status = 'FAILED', failure_code = 'INTERNAL', failure_reason = 'x', "
            "attempts = 3, object_key = :key, object_version = :version WHERE id = :id",
            id=id,
            key=letter.key,
            version=letter.version,
        )
    assert job_id(post(service, caller, again, mergeStrategy="CREATE_NEW")) == id
    newest = service.version(letter.key)
    assert newest != letter
    for file in (newest, letter):
        run_import(service, file)
    job = service.job(caller, id)
    assert (job["status"], job["successCount"], len(service.leads(caller))) == ("COMPLETED", 1, 1)


def test_a_request_whose_run_died_before_it_stored_the_file_is_made_good(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = key()
    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "put", lambda *_: None)
        id = job_id(post(service, caller, again))
    assert service.keys(f"imports/{caller.org}/") == []
    assert job_id(post(service, caller, again)) == id
    announce_all(service, caller, id)
    assert service.job(caller, id)["status"] == "COMPLETED"


def test_a_repeated_request_that_cannot_store_the_file_ends_no_job(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ServiceFault("S3 did not store it")

    again = key()
    id = job_id(post(service, caller, again))
    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "put", refuse)
        assert_problem(post(service, caller, again), 500, "on our side")
    assert service.job(caller, id)["status"] == "PENDING", "the first request's file is on its way"
    announce_all(service, caller, id)
    assert service.job(caller, id)["status"] == "COMPLETED"


def test_an_upload_asked_for_again_has_another_hour(service: Service, caller: Caller) -> None:
    again = key()
    id = job_id(upload(service, caller, again))
    make_past(service, IMPORT, id, created_at=UPLOAD_GONE + 1)
    assert job_id(upload(service, caller, again)) == id
    invoke_expire_jobs(service)
    assert how_it_ended(service, IMPORT, id) == ("PENDING", None)

    make_past(service, IMPORT, id, repeated_at=UPLOAD_GONE + 1)
    invoke_expire_jobs(service)
    assert how_it_ended(service, IMPORT, id) == ("FAILED", "NOT_UPLOADED")
    assert job_id(upload(service, caller, again)) == id
    invoke_expire_jobs(service)
    assert how_it_ended(service, IMPORT, id) == ("PENDING", None)


def test_requests_without_a_key_are_jobs_of_their_own(service: Service, caller: Caller) -> None:
    assert posted(service, caller, CSV).key != posted(service, caller, CSV).key
