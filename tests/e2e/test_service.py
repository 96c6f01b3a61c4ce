"""Use the whole service over HTTP, as its callers do: API, S3 triggers and presigned URLs."""

import gzip
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import urllib3

from local.stack import Stack
from tests.support.service import ROOT, multipart

AUTHORITIES = ROOT / "tests/data/french_authorities.csv"
IMPORT = "/api/v1/leads/import"
EXPORT = "/api/v1/leads/export"
ROUTES = [
    ("POST", IMPORT),
    ("POST", f"{IMPORT}/uploads"),
    ("GET", f"{IMPORT}/history"),
    ("GET", f"{IMPORT}/history/1"),
    ("GET", EXPORT),
    ("GET", f"{EXPORT}/1"),
    ("GET", f"{EXPORT}/history"),
]
CSV = b"name,phone,source\nA,0612345678,web\n"
API_SECONDS = 30
"""The limit of API Gateway. A first request also starts a function, which takes seconds on a busy machine."""


class Client:
    """A user of an organisation, which is a new one unless it is named."""

    def __init__(self, stack: Stack, org: str | None = None) -> None:
        self.stack = stack
        self.org = org or f"org-{uuid4().hex[:12]}"
        self._token = stack.token(self.org)

    def request(self, method: str, path: str, **arguments: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": f"Bearer {self._token}"} | arguments.pop("headers", {})
        arguments = {"redirect": False, "retries": False, "timeout": API_SECONDS} | arguments
        return urllib3.request(method, self.stack.api + path, headers=headers, **arguments)

    def import_file(self, content: bytes, strategy: str = "SKIP") -> dict[str, Any]:
        headers, body = multipart(content, mergeStrategy=strategy)
        answer = self.request("POST", IMPORT, headers=headers, body=body)
        assert answer.status == 200, answer.data
        result: dict[str, Any] = answer.json()
        return result

    def export(self, query: str = "") -> bytes:
        answer = self.request("GET", EXPORT + query)
        assert answer.status == 303, answer.data
        download = urllib3.request("GET", answer.headers["Location"], retries=False)
        assert download.status == 200, download.data
        return download.data

    def ended_job(self, job_id: int | None = None) -> dict[str, Any]:
        """Return a job, or the organisation's newest one, once it has ended."""

        def look() -> dict[str, Any] | None:
            jobs = self.request("GET", f"{IMPORT}/history").json()
            found = [job for job in jobs if job_id in (None, job["id"])]
            return found[0] if found and found[0]["status"] in ("COMPLETED", "FAILED") else None

        return within(20, look)


def within(seconds: float, look: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    """Return the result of `look`, called until it has one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing within {seconds} s")


@pytest.fixture
def client(stack: Stack) -> Client:
    return Client(stack)


def test_file_is_imported_exported_and_imported_again(stack: Stack, client: Client) -> None:
    content = AUTHORITIES.read_bytes()
    for expected in [(4910, 14, 76), (0, 14, 4986)]:
        result = client.import_file(content)
        assert (result["successCount"], result["errorCount"], result["skippedCount"]) == expected
        assert result["totalRows"] == 5000

    exported = client.export()
    assert client.import_file(exported, "OVERWRITE")["successCount"] == 4910
    assert client.export() == exported
    assert client.import_file(exported)["skippedCount"] == 4910

    stranger = Client(stack)
    assert stranger.request("GET", f"{IMPORT}/history").json() == []
    assert stranger.request("GET", f"{IMPORT}/history/{result['importJobId']}").status == 404
    assert stranger.export().count(b"\n") == 1


def test_curl_saves_the_named_export(client: Client, tmp_path: Path) -> None:
    client.import_file(CSV)
    curl = ["curl", "-sS", "-L", "-O", "-J", "-H", f"Authorization: Bearer {client._token}"]
    subprocess.run([*curl, f"{client.stack.api}{EXPORT}"], cwd=tmp_path, check=True)
    (saved,) = tmp_path.glob("leads_export_????????_??????.csv")
    assert saved.read_bytes() == client.export()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_route_without_valid_token_is_401(stack: Stack, method: str, path: str) -> None:
    good = {"sub": "u", "custom:org_id": "acme", "custom:role": "ADMIN"}
    now = int(time.time())
    tokens = {
        "none": None,
        "garbage": "Bearer x.y.z",
        "expired": f"Bearer {stack.issue(**good, exp=now - 3600)}",
        "another issuer": f"Bearer {stack.issue(**good, iss='https://evil.example')}",
        "another audience": f"Bearer {stack.issue(**good, aud='another')}",
        "tampered": f"Bearer {stack.issue(**good)[:-8]}AAAAAAAA",
    }
    for what, token in tokens.items():
        headers = {"Authorization": token} if token else {}
        answer = urllib3.request(
            method, stack.api + path, headers=headers, retries=False, timeout=API_SECONDS
        )
        assert (answer.status, answer.json()) == (401, {"message": "Unauthorized"}), what


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_route_without_role_or_organisation_is_403(stack: Stack, method: str, path: str) -> None:
    for claims in [
        {"sub": "u", "custom:org_id": "acme", "custom:role": "USER"},
        {"sub": "u", "custom:role": "ADMIN"},
        {"sub": "u", "custom:org_id": "../acme", "custom:role": "ADMIN"},
    ]:
        headers = {"Authorization": f"Bearer {stack.issue(**claims)}"}
        answer = urllib3.request(
            method, stack.api + path, headers=headers, retries=False, timeout=API_SECONDS
        )
        assert answer.status == 403, claims
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_gateway_refuses_unknown_routes_and_large_events(client: Client) -> None:
    missing = client.request("GET", "/api/v1/leads")
    assert (missing.status, missing.json()) == (404, {"message": "Not Found"})
    huge = client.request(
        "POST", IMPORT, headers={"Content-Type": "application/octet-stream"}, body=b"x" * 5_000_000
    )
    assert (huge.status, set(huge.json())) == (413, {"message"})


def test_file_over_the_limit_is_413_with_uploads_route(client: Client) -> None:
    content = CSV + b"A,0612345678,web\n" * 250_000
    headers = {"Content-Type": "application/octet-stream"}
    answer = client.request("POST", IMPORT, headers=headers, body=content)
    assert (answer.status, answer.headers["Content-Type"]) == (413, "application/problem+json")
    assert f"POST {IMPORT}/uploads" in answer.json()["detail"]

    body = json.dumps({"filename": "big.csv", "mergeStrategy": "OVERWRITE"})
    upload = client.request(
        "POST", f"{IMPORT}/uploads", headers={"Content-Type": "application/json"}, body=body
    )
    assert upload.status == 201, upload.data
    target = upload.json()["upload"]
    fields = {**target["fields"], "file": ("big.csv", content, "text/csv")}
    assert urllib3.request("POST", target["url"], fields=fields, retries=False).status in (200, 204)
    job = client.ended_job(upload.json()["importJobId"])
    assert (job["status"], job["successCount"], job["filename"]) == ("COMPLETED", 250_001, "big.csv")


def test_export_with_respond_async_is_completed_by_polling(client: Client) -> None:
    client.import_file(CSV)
    asked = client.request("GET", f"{EXPORT}?format=excel&gzip=true", headers={"Prefer": "respond-async"})
    assert (asked.status, asked.json()["status"]) == (202, "PENDING")

    def look() -> dict[str, Any] | None:
        export: dict[str, Any] = client.request("GET", asked.headers["Location"]).json()
        return export if export["status"] in ("COMPLETED", "FAILED") else None

    export = within(20, look)
    assert (export["status"], export["rowCount"]) == ("COMPLETED", 1)
    download = urllib3.request("GET", export["url"], retries=False, decode_content=False)
    content = gzip.decompress(download.data).decode("utf-8-sig")
    assert content.startswith("id;name;phone;email;")
    assert ";A;0612345678;" in content
    (listed,) = client.request("GET", f"{EXPORT}/history").json()
    assert (listed["id"], listed["status"], listed["rowCount"]) == (export["id"], "COMPLETED", 1)


def test_dropped_file_is_imported(stack: Stack, client: Client) -> None:
    key = f"drop/{client.org}/OVERWRITE/fichier du lundi é.csv"
    stack.s3.client.put_object(Bucket=stack.bucket, Key=key, Body=CSV)
    job = client.ended_job()
    assert (job["status"], job["successCount"], job["createdBy"]) == ("COMPLETED", 1, "drop-folder")
    assert job["filename"] == "fichier du lundi é.csv"


def test_dropped_gzip_has_result_and_report_for_its_sender(stack: Stack, client: Client) -> None:
    content = gzip.compress(CSV + b",0612345679,web\n")
    stack.s3.client.put_object(Bucket=stack.bucket, Key=f"drop/{client.org}/leads.csv.gz", Body=content)
    job = client.ended_job()

    def look() -> dict[str, Any] | None:
        listed = stack.s3.client.list_objects_v2(Bucket=stack.bucket, Prefix=f"drop-results/{client.org}/")
        for item in listed.get("Contents", []):
            assert item["Key"] == f"drop-results/{client.org}/leads.csv.gz.{job['id']}.json"
            stored = stack.s3.client.get_object(Bucket=stack.bucket, Key=item["Key"])
            return dict(json.loads(stored["Body"].read()))
        return None

    result = within(20, look)
    assert (result["status"], result["successCount"], result["errorCount"]) == ("COMPLETED", 1, 1)
    for body in (result, job):
        report = urllib3.request("GET", body["reportUrl"], retries=False)
        assert report.data == (
            b"row,outcome,reason,name,phone,source\r\n3,error,Name is required,,0612345679,web\r\n"
        )


def test_text_body_with_lost_characters_is_400(client: Client) -> None:
    answer = client.request(
        "POST", IMPORT, headers={"Content-Type": "text/csv"}, body="name\né".encode("cp1252")
    )
    assert answer.status == 400
    assert "application/octet-stream" in answer.json()["detail"]


def test_windows_file_from_excel_is_imported(client: Client) -> None:
    content = "Nom;Prénom;Téléphone;Source\r\nDupré;Zoé;06 12 34 56 78;Web\r\n".encode("cp1252")
    answer = client.request(
        "POST", IMPORT, headers={"Content-Type": "application/octet-stream"}, body=content
    )
    assert answer.json()["successCount"] == 1
    assert "Zoé Dupré" in client.export().decode()
