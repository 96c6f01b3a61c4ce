"""Check attacks by one organisation on another, and on the links that need no sign-in."""

import base64
import io
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import urllib3

from leads.observability import logger
from leads.s3.bucket import UPLOAD_LIMIT
from leads.s3.events import StoredFile
from leads.s3.keys import export_request_key, import_key
from tests.integration.imports.test_import_leads import BINARY, announce_when_stored, assert_problem
from tests.support.exports import ROUTE as EXPORT
from tests.support.exports import announce_export, asked, names, store
from tests.support.imports import counts, posted, report_of
from tests.support.service import Answer, Caller, Service

IMPORT = "/api/v1/leads/import"
HISTORY = f"{IMPORT}/history"
CSV = "name,phone,source\nVictim,0612345678,web\n,2,web\n"


def begin_upload(service: Service, caller: Caller, filename: str = "x.csv") -> dict[str, Any]:
    answer = service.request(
        "POST",
        f"{IMPORT}/uploads",
        caller,
        headers={"Content-Type": "application/json"},
        body=json.dumps({"filename": filename}).encode(),
    )
    assert answer.status == 201, answer
    upload: dict[str, Any] = answer.json
    return upload


def send(service: Service, upload: dict[str, Any], content: str) -> StoredFile:
    """Send a file as the presigned POST requires."""
    target = upload["upload"]
    fields = {**target["fields"], "file": ("x.csv", content.encode(), "text/csv")}
    assert urllib3.request("POST", target["url"], fields=fields, retries=False).status in (200, 204)
    return service.version(target["fields"]["key"])


def all_answers(service: Service, caller: Caller, ids: list[int]) -> list[Answer]:
    """Return every answer to a caller who requests these ids on every route."""
    paths = [HISTORY, f"{EXPORT}/history", *(f"{path}/{id}" for path in (HISTORY, EXPORT) for id in ids)]
    answers = [service.request("GET", path, caller) for path in paths]
    for id in ids:
        cursor = base64.urlsafe_b64encode(str(id + 1).encode()).decode().rstrip("=")
        query = {"cursor": cursor, "limit": "1"}
        answers += [service.request("GET", path, caller, query=query) for path in paths[:2]]
    return answers


@pytest.mark.parametrize(
    "likeness",
    [str.upper, lambda org: f"{org}0", lambda org: org[:-1], lambda org: org.replace("-", "_"), str.title],
    ids=["capitals", "longer", "shorter", "an underscore for the hyphen", "title"],
)
def test_organisation_with_a_similar_id_sees_nothing(service: Service, likeness: Any) -> None:
    victim = Caller(org=f"{Caller().org}-victim")
    imported = service.import_csv(victim, CSV)
    exported = service.request("GET", EXPORT, victim).json
    handed_over = service.request("GET", EXPORT, victim, headers={"Prefer": "respond-async"}).json
    uploading = begin_upload(service, victim)["importJobId"]
    ids = [imported["id"], uploading, exported["id"], handed_over["id"]]
    assert imported["reportUrl"], "the victim has a report"
    assert exported["url"], "the victim has an export"

    stranger = Caller(org=likeness(victim.org))
    assert stranger.org != victim.org
    for answer in all_answers(service, stranger, ids):
        assert answer.status == 404 or (answer.status, answer.json) == (200, []), answer
        content = f"{answer.headers} {answer.body}"
        for secret in (victim.org, victim.user, "X-Amz", "Victim", exported["filename"]):
            assert secret not in content, f"{secret} in {content}"
    assert names(service.export_csv(stranger)) == []


def test_file_with_ids_of_another_organisation_changes_own_leads(service: Service, caller: Caller) -> None:
    victim = Caller()
    service.import_csv(victim, CSV)
    (before,) = service.leads(victim)
    header = "id,org_id,name,phone,source,status,created_by,phone_key"
    row = f"{before['id']},{victim.org},Hacked,0612345678,web,LOST,{victim.user},{before['phone_key']}"
    for strategy in ("OVERWRITE", "SKIP", "CREATE_NEW"):
        job = service.import_csv(caller, f"{header}\n{row}\n", strategy)
        assert {"id", "org_id", "phone_key"} <= set(job["ignoredColumns"])
    assert service.leads(victim) == [before]
    theirs = service.leads(caller)
    assert {(lead["org_id"], lead["name"], lead["status"]) for lead in theirs} == {
        (caller.org, "Hacked", "NEW")
    }
    assert before["id"] not in [lead["id"] for lead in theirs]


def test_object_of_one_organisation_starts_no_job_of_another(service: Service, caller: Caller) -> None:
    victim = Caller()
    store(service, victim)
    job_id = begin_upload(service, victim)["importJobId"]
    export = service.request("GET", EXPORT, victim, headers={"Prefer": "respond-async"}).json
    service.announce(service.put(import_key(caller.org, job_id), CSV.encode()))
    announce_export(service, service.put(export_request_key(caller.org, export["id"]), b"{}"))
    assert service.job(victim, job_id)["status"] == "PENDING"
    assert service.request("GET", f"{EXPORT}/{export['id']}", victim).json["status"] == "PENDING"
    assert service.leads(caller) == []
    assert service.keys(f"exports/{caller.org}/") + service.keys(f"exports/{victim.org}/") == []


@pytest.mark.parametrize(
    "content", ["name,phone,source\nA,1,web\n,2,web\n", "no csv of leads\n"], ids=["completed", "failed"]
)
def test_second_upload_to_an_ended_job_is_ignored_and_logged(
    service: Service, caller: Caller, content: str
) -> None:
    upload = begin_upload(service, caller)
    job_id = upload["importJobId"]
    service.announce(send(service, upload, content))
    before, leads = service.job(caller, job_id), service.leads(caller)
    report = report_of(before).text if before["reportUrl"] else None
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    try:
        service.announce(send(service, upload, "name,phone,source\nB,3,web\nC,4,web\n,5,web\n"))
    finally:
        logging.getLogger(logger.name).removeHandler(handler)
    (line,) = [json.loads(line) for line in log.getvalue().splitlines() if "import ended" in line]
    assert (line["import_job_id"], line["outcome"]) == (job_id, "IGNORED")

    after = service.job(caller, job_id)
    assert counts(after) == counts(before)
    assert after | {"reportUrl": None} == before | {"reportUrl": None}
    assert service.leads(caller) == leads
    assert (report_of(after).text if after["reportUrl"] else None) == report


@pytest.mark.parametrize(
    "filename",
    ["x.csv", "${filename}", "../../../drop/other/x.csv", 'x"},{"key":"y'],
    ids=["plain", "form variable", "parent folders", "JSON"],
)
def test_presigned_post_allows_one_key_a_size_and_an_hour(
    service: Service, caller: Caller, filename: str
) -> None:
    asked_at = datetime.now(UTC)
    upload = begin_upload(service, caller, filename)
    target = upload["upload"]
    fields = target["fields"]
    key = import_key(caller.org, upload["importJobId"])
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert policy.keys() == {"expiration", "conditions"}
    lists = [one for one in policy["conditions"] if isinstance(one, list)]
    assert lists == [["content-length-range", 1, UPLOAD_LIMIT]], "no starts-with, no second range"
    exact = [one for one in policy["conditions"] if isinstance(one, dict)]
    named = {name: value for one in exact for name, value in one.items()}
    assert len(named) == len(exact), f"a field has one condition, which names it alone: {exact}"
    signing = {name for name in named if name.startswith("x-amz-")}
    assert named.keys() - signing == {"bucket", "key"}
    assert (named["bucket"], named["key"], fields["key"]) == (service.bucket, key, key)
    assert fields.keys() == {"key", "policy", "x-amz-signature"} | signing
    assert all(fields[name] == named[name] for name in signing)
    assert named["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    ends = datetime.strptime(policy["expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(0) < ends - asked_at <= timedelta(hours=1, seconds=60), "an hour from being asked for"
    url = urlsplit(target["url"])
    assert (unquote(url.path).strip("/"), url.query) == (service.bucket, "")


def assert_link(service: Service, url: str, key: str) -> None:
    """Check that a link allows the download of one object for a quarter of an hour."""
    parts = urlsplit(url)
    query = parse_qs(parts.query, strict_parsing=True)
    assert unquote(parts.path) == f"/{service.bucket}/{key}"
    assert query["X-Amz-Expires"] == ["900"], url
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"], url
    assert len(query["X-Amz-Signature"]) == 1, url
    (disposition,) = query["response-content-disposition"]
    name = disposition.removeprefix('attachment; filename="').removesuffix('"')
    assert disposition == f'attachment; filename="{name}"'
    assert name.replace("_", "").replace(".", "").isalnum(), disposition
    assert name.isascii(), disposition
    assert query["response-content-type"][0] in ("text/csv; charset=utf-8", "application/gzip")


def test_link_of_the_api_allows_one_own_file_for_fifteen_minutes(service: Service, caller: Caller) -> None:
    s3 = announce_when_stored(service, caller)
    answered = service.request("POST", IMPORT, caller, headers=BINARY, body=CSV.encode()).json
    s3.join()
    service.announce(service.put(f"drop/{caller.org}/x.csv", CSV.encode()))
    (result_key,) = service.keys(f"drop-results/{caller.org}/")
    stored = service.s3.client.get_object(Bucket=service.bucket, Key=result_key)
    jobs = service.request("GET", HISTORY, caller).json
    views = [*jobs, *(service.job(caller, job["id"]) for job in jobs), json.loads(stored["Body"].read())]
    links = [(answered["importJobId"], answered["reportUrl"])]
    links += [(job["id"], job["reportUrl"]) for job in views]
    assert len(links) == 6
    for job_id, url in links:
        assert_link(service, url, f"reports/{caller.org}/{job_id}/not_imported.csv")

    redirect = service.request("GET", EXPORT, caller)
    as_json = service.request("GET", EXPORT, caller, headers={"Accept": "application/json"}).json
    request = asked(service, caller, gzip="true")
    announce_export(service, request)
    exports = [redirect.json, redirect.json | {"url": redirect.headers["Location"]}, as_json]
    ids = [job["id"] for job in service.request("GET", f"{EXPORT}/history", caller).json]
    exports += [service.request("GET", f"{EXPORT}/{id}", caller).json for id in ids]
    assert len(exports) == 6
    for export in exports:
        assert_link(service, export["url"], f"exports/{caller.org}/{export['id']}/{export['filename']}")


def test_job_without_a_file_has_no_link(service: Service, caller: Caller) -> None:
    posted(service, caller, CSV)
    asked(service, caller)
    for answer in all_answers(service, caller, []):
        assert "X-Amz" not in answer.body, answer
    assert_problem(service.request("GET", f"{EXPORT}/0", caller), 404)
