"""Repeat requests with an Idempotency-Key after the first one failed: each file is imported once."""

import pytest

from leads.errors import ServiceFault
from leads.s3.bucket import Bucket
from leads.s3.keys import import_key
from tests.integration.imports.test_import_leads import assert_problem
from tests.support.expiry import IMPORT, UPLOAD_GONE, how_it_ended, invoke_expire_jobs, make_past
from tests.support.imports import run_import
from tests.support.keyed import announce_all, job_id, jobs, key, post, upload
from tests.support.service import Caller, Service


def test_repeated_request_restarts_job_without_stored_file(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Bucket.put

    def store_and_fail(bucket: Bucket, key: str, body: bytes, content_type: str) -> None:
        put(bucket, key, body, content_type)
        raise ServiceFault("S3 did not answer")

    again = key()
    monkeypatch.setattr(Bucket, "put", store_and_fail)
    assert_problem(post(service, caller, again), 500, "An internal error occurred")
    (job,) = jobs(service, caller)
    assert job["status"] == "FAILED"
    monkeypatch.undo()
    repeated = post(service, caller, again)
    assert (job_id(repeated), repeated.json["status"]) == (job["id"], "PENDING")
    announce_all(service, caller, job["id"])
    assert service.job(caller, job["id"])["status"] == "COMPLETED"
    assert len(service.leads(caller)) == 1, "though two objects were stored"


def test_repeated_request_restarts_job_of_internal_fault(service: Service, caller: Caller) -> None:
    """The redrive of the first request's event then does nothing."""
    again = key()
    id = job_id(post(service, caller, again, mergeStrategy="CREATE_NEW"))
    letter = service.version(import_key(caller.org, id))
    with service.owner() as connection:
        connection.query(
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


def test_repeated_request_stores_file_of_killed_run(
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


def test_repeated_request_that_cannot_store_ends_no_job(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ServiceFault("S3 did not store it")

    again = key()
    id = job_id(post(service, caller, again))
    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "put", refuse)
        assert_problem(post(service, caller, again), 500, "An internal error occurred")
    assert service.job(caller, id)["status"] == "PENDING", "the first request's file is on its way"
    announce_all(service, caller, id)
    assert service.job(caller, id)["status"] == "COMPLETED"


def test_repeated_upload_has_another_hour(service: Service, caller: Caller) -> None:
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
