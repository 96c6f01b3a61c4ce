"""Check the logs of real processes: each line names its job and its request, and has no personal data."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from tests.e2e.test_service import EXPORT, IMPORT, Client, within
from tests.support.service import multipart

MARK = "Trillian"
PHONE = "0687654321"
CSV = f"name,phone,source,{MARK}\n{MARK},{PHONE},web,{MARK}\n,{PHONE},{MARK},\n".encode()
BROKEN = f'name,phone,source\n{MARK},"{PHONE},web\n'.encode()


@pytest.fixture
def client(stack: Stack) -> Client:
    return Client(stack)


def lines_of(stack: Stack) -> Iterator[dict[str, Any]]:
    """Return the lines of the functions' logs, without metrics and without Lambda's own lines."""
    for path in stack.logs.glob("*.log"):
        for text in path.read_text(errors="replace").split("\n")[:-1]:
            line = json.loads(text) if text.startswith("{") else {}
            if "message" in line:
                yield line


def test_log_lines_of_all_functions_have_the_request_id(stack: Stack, client: Client) -> None:
    headers, body = multipart(CSV, f"{MARK}.csv")
    answer = client.request("POST", IMPORT, headers=headers | {"User-Agent": MARK}, body=body)
    job = answer.json()["importJobId"]
    request_id = answer.headers["apigw-requestid"]
    client.import_file(CSV)
    broken = client.request("POST", IMPORT, headers=multipart(BROKEN)[0], body=multipart(BROKEN)[1])
    assert broken.status == 400
    stack.s3.client.put_object(Bucket=stack.bucket, Key=f"drop/{client.org}/{MARK}.csv", Body=BROKEN)

    def ended() -> dict[str, Any] | None:
        jobs = client.request("GET", f"{IMPORT}/history").json()
        return (
            {} if [one["status"] for one in jobs] == ["FAILED", "FAILED", "COMPLETED", "COMPLETED"] else None
        )

    within(20, ended)
    asked = client.request("GET", f"{EXPORT}?columns=name,phone", headers={"Prefer": "respond-async"})
    export = asked.json()["id"]

    def look() -> dict[str, Any] | None:
        found = {
            (one.get("service"), one["message"])
            for one in lines_of(stack)
            if one.get("export_job_id") == export
        }
        return {} if ("process_export", "export ended") in found else None

    within(20, look)
    lines = list(lines_of(stack))
    about = [line for line in lines if line.get("import_job_id") == job]
    assert {(line["service"], line["message"]) for line in about} == {
        ("import_leads", "file stored"),
        ("process_import", "import ended"),
    }
    assert {line["correlation_id"] for line in about} == {request_id}
    assert {line["correlation_id"] for line in lines if line.get("export_job_id") == export} == {
        asked.headers["apigw-requestid"]
    }
    named = [line for line in lines if {"import_job_id", "export_job_id"} & line.keys()]
    assert all(line["correlation_id"] for line in named)
    assert_impersonal(stack.logs, client._token)


def assert_impersonal(logs: Path, token: str) -> None:
    for path in logs.glob("*.log"):
        text = path.read_text(errors="replace")
        for mark in (MARK, PHONE, "687654321", token):
            assert mark not in text, path.name
