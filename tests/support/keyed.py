"""Requests under an Idempotency-Key, as tests send them and look at what came of them."""

import json
from typing import Any
from uuid import uuid4

from leads.s3.events import StoredFile
from leads.s3.keys import import_key
from tests.support.imports import run_import
from tests.support.service import Answer, Caller, Service

ROUTE = "/api/v1/leads/import"
CSV = b"name,phone,source\nA,0612345678,web\n"


def key() -> str:
    """One that no other request has."""
    return f'"{uuid4()}"'


def post(service: Service, caller: Caller, key: str, content: bytes = CSV, **query: str) -> Answer:
    """Sends a file under a key and does not wait for it."""
    headers = {"Content-Type": "application/octet-stream"} | {
        "Prefer": "respond-async",
        "Idempotency-Key": key,
    }
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
