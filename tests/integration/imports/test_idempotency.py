"""Repeat requests with an Idempotency-Key: they return the first one's job and start no other."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from leads.s3.keys import import_key
from tests.integration.imports.test_import_leads import assert_problem
from tests.support.expiry import IMPORT, make_past, stored_job
from tests.support.imports import posted
from tests.support.keyed import CSV, ROUTE, announce_all, job_id, jobs, key, post, upload
from tests.support.service import Caller, Service, multipart
from tests.support.waiting import wait_until

DAY = 24 * 3600


def test_repeated_request_returns_the_first_job_and_result(service: Service, caller: Caller) -> None:
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


def test_repeated_form_with_another_boundary_is_same_request(service: Service, caller: Caller) -> None:
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


def test_repeated_request_of_invalid_file_is_the_same_400(service: Service, caller: Caller) -> None:
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
def test_key_with_another_request_is_refused(
    service: Service, caller: Caller, content: bytes, query: dict[str, str]
) -> None:
    again = key()
    first = job_id(post(service, caller, again))
    assert_problem(post(service, caller, again, content, **query), 409, "Use a new key for each import")
    assert [job["id"] for job in jobs(service, caller)] == [first]
    assert job_id(post(service, caller, again)) == first


def test_key_of_the_other_route_is_refused(service: Service, caller: Caller) -> None:
    imported, uploaded = key(), key()
    first = job_id(post(service, caller, imported, filename="a.csv"))
    second = job_id(upload(service, caller, uploaded))
    assert_problem(upload(service, caller, imported), 409, "the other route")
    assert_problem(post(service, caller, uploaded, filename="a.csv"), 409, "the other route")
    assert {job["id"] for job in jobs(service, caller)} == {first, second}


def test_malformed_key_makes_no_job(service: Service, caller: Caller) -> None:
    for bad in ("", '"a', "a b", "x" * 256):
        assert_problem(post(service, caller, bad), 400, "Idempotency-Key must be one text")
        assert_problem(upload(service, caller, bad), 400, "Idempotency-Key must be one text")
    assert jobs(service, caller) == []


def test_repeated_upload_is_the_same_job_with_a_form(service: Service, caller: Caller) -> None:
    again = key()
    first, repeated = (upload(service, caller, again, mergeStrategy="OVERWRITE") for _ in range(2))
    assert repeated.status == 201
    assert repeated.json.keys() == first.json.keys() == {"importJobId", "upload", "expiresAt"}
    assert repeated.json["upload"]["fields"]["key"] == import_key(caller.org, job_id(first))
    assert repeated.headers["Location"] == first.headers["Location"]
    for other in ({"filename": "b.csv"}, {"mergeStrategy": "SKIP"}, {"dryRun": True}):
        answer = upload(service, caller, again, **{"mergeStrategy": "OVERWRITE"} | other)
        assert_problem(answer, 409, "used before")
    assert len(jobs(service, caller)) == 1


def test_simultaneous_requests_with_one_key_have_one_job(service: Service, caller: Caller) -> None:
    service.handler("import_leads")
    again = key()
    with ThreadPoolExecutor(8) as callers:
        ids = set(callers.map(lambda _: job_id(post(service, caller, again)), range(8)))
    assert len(ids) == 1
    announce_all(service, caller, *ids)
    assert len(service.leads(caller)) == len(jobs(service, caller)) == 1


def test_repeated_request_waits_for_uncommitted_first_one(service: Service, caller: Caller) -> None:
    """The constraint decides, because the second request cannot see the first one's uncommitted job."""
    again = key()
    with service.owner() as other, ThreadPoolExecutor(1) as callers:
        with other.transaction(caller.org):
            other.query(
                "INSERT INTO import_job (org_id, filename, merge_strategy, created_by, idempotency_key) "
                "VALUES (:org, 'x', 'SKIP', 'x', :key)",
                org=caller.org,
                key=again.strip('"'),
            )
            answer = callers.submit(post, service, caller, again)
            waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)"
            with service.owner() as looking:
                wait_until(lambda: looking.query_value(waiting))
            assert not answer.done()
        id = job_id(answer.result(30))
    assert [job["id"] for job in jobs(service, caller)] == [id]


def test_key_of_another_organisation_is_another_key(service: Service) -> None:
    ours, theirs, again = Caller(), Caller(), key()
    assert job_id(post(service, ours, again)) != job_id(post(service, theirs, again, CSV + b"B,1,web\n"))
    for caller in (ours, theirs):
        assert len(jobs(service, caller)) == 1


def test_key_of_another_user_is_the_same_key(service: Service, caller: Caller) -> None:
    again = key()
    colleague = Caller(org=caller.org, role="PRO", user="bob@agency.example")
    assert job_id(post(service, caller, again)) == job_id(post(service, colleague, again))


def test_key_after_a_day_makes_another_job(service: Service, caller: Caller) -> None:
    """A key expires after 24 hours."""
    again, other = key(), key()
    first = job_id(post(service, caller, again))
    old = job_id(post(service, caller, other))
    make_past(service, IMPORT, first, created_at=DAY - 60)
    assert job_id(post(service, caller, again)) == first
    for id in (first, old):
        make_past(service, IMPORT, id, created_at=DAY + 1)
    second = job_id(post(service, caller, again, CSV + b"B,0612345679,web\n"))
    assert second != first
    rows = [stored_job(service, IMPORT, id) for id in (first, old, second)]
    assert [job["idempotency_key"] for job in rows] == [None, None, again.strip('"')]
    assert [job["file_digest"] is None for job in rows] == [True, True, False]


def test_requests_without_a_key_have_separate_jobs(service: Service, caller: Caller) -> None:
    assert posted(service, caller, CSV).key != posted(service, caller, CSV).key
