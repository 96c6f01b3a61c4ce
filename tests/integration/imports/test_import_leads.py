"""Serve POST /api/v1/leads/import and …/uploads, for valid and invalid requests."""

import base64
import json
import threading
from typing import Any

import pytest

from leads.errors import DatabaseFault, ServiceFault
from leads.postgres.connection import Connection, Database
from leads.s3.bucket import Bucket
from leads.s3.keys import import_key
from tests.support.imports import report_of
from tests.support.service import Answer, Caller, Service, multipart

ROUTE = "/api/v1/leads/import"
CSV = b"name,phone,source\nA,0612345678,web\nA,06 12 34 56 78,web\n,0612345678,web\n"
BINARY = {"Content-Type": "application/octet-stream"}


def announce_when_stored(service: Service, caller: Caller) -> threading.Thread:
    """Announce the caller's next upload once it is stored, as S3 does."""

    def watch() -> None:
        while not (keys := service.keys(f"imports/{caller.org}/")):
            pass
        service.announce(service.version(keys[0]))

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def assert_problem(answer: Answer, status: int, *words: str) -> dict[str, Any]:
    """Check a problem document and return it."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json
    assert document["status"] == status
    assert {"type", "title", "detail", "requestId"} <= document.keys()
    for word in words:
        assert word in answer.body, f"{word!r} is not in {answer.body}"
    return document


def test_import_that_ends_in_time_is_200_with_its_result(service: Service, caller: Caller) -> None:
    s3 = announce_when_stored(service, caller)
    headers, body = multipart(CSV)
    answer = service.request("POST", ROUTE, caller, headers=headers, body=body)
    s3.join()
    assert answer.status == 200
    result = answer.json
    assert report_of(result).outcomes == {3: "duplicate", 4: "error"}
    assert result == {
        "importJobId": result["importJobId"],
        "status": "COMPLETED",
        "totalRows": 3,
        "successCount": 1,
        "errorCount": 1,
        "skippedCount": 1,
        "validationErrors": [{"row": 4, "field": "name", "message": "Name is required"}],
        "validationErrorsTruncated": False,
        "reportUrl": result["reportUrl"],
    }


def test_invalid_file_is_400_and_its_job_failed(service: Service, caller: Caller) -> None:
    s3 = announce_when_stored(service, caller)
    answer = service.request("POST", ROUTE, caller, headers=BINARY, body=b"PK\x03\x04")
    s3.join()
    document = assert_problem(answer, 400, "Excel workbook", "Save it as CSV")
    assert service.job(caller, document["importJobId"])["status"] == "FAILED"


def test_running_import_is_202_with_its_location(service: Service, caller: Caller) -> None:
    answer = service.request("POST", ROUTE, caller, headers=BINARY | {"Prefer": "wait=0"}, body=CSV)
    assert answer.status == 202
    assert answer.headers["Location"] == f"{ROUTE}/history/{answer.json['importJobId']}"
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Preference-Applied"] == "wait=0"
    result = answer.json
    assert (result["status"], result["totalRows"], result["reportUrl"]) == ("PENDING", 0, None)


@pytest.mark.parametrize(
    ("query", "form", "strategy"),
    [
        ({}, {}, "SKIP"),
        ({}, {"mergeStrategy": "OVERWRITE"}, "OVERWRITE"),
        ({"mergeStrategy": "CREATE_NEW"}, {}, "CREATE_NEW"),
        ({"mergeStrategy": "overwrite"}, {"mergeStrategy": "overwrite"}, "OVERWRITE"),
    ],
)
def test_import_strategy_in_form_or_query_is_applied(
    service: Service, caller: Caller, query: dict[str, str], form: dict[str, str], strategy: str
) -> None:
    headers, body = multipart(CSV, **form)
    headers["Prefer"] = "respond-async"
    answer = service.request("POST", ROUTE, caller, query=query, headers=headers, body=body)
    job = service.job(caller, answer.json["importJobId"])
    assert (job["mergeStrategy"], job["filename"], job["createdBy"]) == (strategy, "leads.csv", caller.user)


@pytest.mark.parametrize(
    ("headers", "query", "filename"),
    [
        (BINARY, {}, "upload.csv"),
        (BINARY, {"filename": "mes leads.csv"}, "mes leads.csv"),
        (BINARY | {"Content-Disposition": 'attachment; filename="a.csv"'}, {}, "a.csv"),
        ({"Content-Type": "text/csv"}, {"filename": "C:\\x\\..\\é.csv"}, "é.csv"),
    ],
)
def test_bare_import_is_named_by_header_or_query(
    service: Service, caller: Caller, headers: dict[str, str], query: dict[str, str], filename: str
) -> None:
    headers = headers | {"Prefer": "respond-async"}
    answer = service.request("POST", ROUTE, caller, query=query, headers=headers, body=CSV)
    assert service.job(caller, answer.json["importJobId"])["filename"] == filename


def test_invalid_import_request_makes_no_job(service: Service, caller: Caller) -> None:
    no_file = multipart(CSV)[1].replace(b'name="file"; ', b'name="mergeStrategy"; ')
    form = multipart(CSV)[0]
    requests: list[tuple[dict[str, Any], int, str]] = [
        ({"headers": form, "body": no_file}, 400, "The form has no file"),
        ({"headers": form, "body": b""}, 400, "cannot be read"),
        ({"headers": form, "body": multipart(CSV)[1][:-40]}, 400, "cannot be read"),
        ({"headers": {"Content-Type": "multipart/form-data"}, "body": CSV}, 400, "boundary"),
        ({"headers": BINARY, "query": {"mergeStrategy": "MERGE"}}, 400, "SKIP, OVERWRITE, CREATE_NEW"),
        ({"headers": BINARY, "query": {"strategy": "SKIP"}}, 400, "mergeStrategy, dryRun, filename"),
        ({"headers": BINARY, "query": {"dryRun": "yes"}}, 400, "true, false"),
        ({"headers": {"Content-Type": "text/csv"}, "body": "é,\n".encode("cp1252")}, 400, "octet-stream"),
        ({"headers": {"Content-Type": "application/x-www-form-urlencoded"}, "body": CSV}, 415, "multipart"),
        ({"headers": {}, "body": CSV}, 415, "multipart/form-data"),
        ({"headers": BINARY, "body": b"x" * (4 * 1024 * 1024 + 1)}, 413, "/api/v1/leads/import/uploads"),
    ]
    for request, status, words in requests:
        assert_problem(service.request("POST", ROUTE, caller, **request), status, words)
    assert service.request("GET", f"{ROUTE}/history", caller).json == []
    assert service.keys(f"imports/{caller.org}/") == []


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"sub": "u", "custom:role": "ADMIN"}, "custom:org_id"),
        ({"sub": "u", "custom:org_id": "../other", "custom:role": "ADMIN"}, "custom:org_id"),
        ({"sub": "u", "custom:org_id": "acme"}, "ADMIN or PRO"),
        ({"sub": "u", "custom:org_id": "acme", "custom:role": "USER"}, "ADMIN or PRO"),
        ({"custom:org_id": "acme", "custom:role": "PRO"}, "email or sub"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ROUTE),
        ("POST", f"{ROUTE}/uploads"),
        ("GET", f"{ROUTE}/history"),
        ("GET", f"{ROUTE}/history/1"),
        ("GET", "/api/v1/leads/export"),
    ],
)
def test_import_route_without_valid_claims_is_refused(
    service: Service, claims: dict[str, str], word: str, method: str, path: str
) -> None:
    assert_problem(service.request(method, path, claims=claims), 403, word)


@pytest.mark.parametrize("role", ["ADMIN", "admin", "PRO", "Pro"])
def test_import_with_role_in_any_case_is_accepted(service: Service, role: str) -> None:
    assert service.request("GET", f"{ROUTE}/history", Caller(role=role)).status == 200


def test_file_that_s3_refuses_is_500_and_its_job_failed(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ServiceFault("S3 did not store it")

    monkeypatch.setattr(Bucket, "put", refuse)
    answer = service.request("POST", ROUTE, caller, headers=BINARY, body=CSV)
    assert_problem(answer, 500, "An internal error occurred")
    (job,) = service.request("GET", f"{ROUTE}/history", caller).json
    assert (job["status"], "send it again" in job["failureReason"]) == ("FAILED", True)


def test_stored_file_with_lost_reply_is_not_imported(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 stored the file and its reply was lost, so the job is FAILED, and so is its answer."""
    put = Bucket.put

    def store_and_fail(bucket: Bucket, key: str, body: bytes, content_type: str) -> None:
        put(bucket, key, body, content_type)
        raise ServiceFault("S3 did not answer")

    monkeypatch.setattr(Bucket, "put", store_and_fail)
    answer = service.request("POST", ROUTE, caller, headers=BINARY, body=CSV)
    assert_problem(answer, 500, "An internal error occurred")
    (key,) = service.keys(f"imports/{caller.org}/")
    service.announce(service.version(key))
    assert service.leads(caller) == [], "the answer was that nothing was imported"


def test_failed_poll_keeps_the_import_pending(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is stored and will be imported, so the answer is 202 and no error."""
    connect = Database.connect
    calls = iter(range(100))

    def go_away(database: Database, *, timeout: float | None = None) -> Connection:
        if next(calls) == 1:
            raise DatabaseFault(None)
        return connect(database, timeout=timeout)

    monkeypatch.setattr(Database, "connect", go_away)
    answer = service.request("POST", ROUTE, caller, headers=BINARY | {"Prefer": "wait=1"}, body=CSV)
    assert (answer.status, answer.json["status"]) == (202, "PENDING")


def test_upload_form_is_bound_to_key_size_and_hour(service: Service, caller: Caller) -> None:
    answer = service.request(
        "POST",
        f"{ROUTE}/uploads",
        caller,
        headers={"Content-Type": "application/json"},
        body=b'{"filename":"x.csv"}',
    )
    assert answer.status == 201
    job_id = answer.json["importJobId"]
    assert answer.headers["Location"] == f"{ROUTE}/history/{job_id}"
    fields = answer.json["upload"]["fields"]
    assert fields["key"] == import_key(caller.org, job_id)
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert {"key": fields["key"]} in policy["conditions"]
    assert ["content-length-range", 1, 2 * 1024**3] in policy["conditions"]
    assert policy["expiration"].startswith(answer.json["expiresAt"][:15])
    job = service.job(caller, job_id)
    assert (job["status"], job["filename"]) == ("PENDING", "x.csv")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"{}", "filename"),
        (b'{"filename": ""}', "filename"),
        (b'{"filename": "x.csv", "mergeStrategy": "MERGE"}', "CREATE_NEW"),
        (b'{"filename": "x.csv", "strategy": "SKIP"}', "strategy"),
    ],
)
def test_invalid_upload_request_is_refused_with_advice(
    service: Service, caller: Caller, body: bytes, word: str
) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(service.request("POST", f"{ROUTE}/uploads", caller, headers=headers, body=body), 400, word)
    assert service.request("GET", f"{ROUTE}/history", caller).json == []
