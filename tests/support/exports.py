"""Exports as tests ask for them, run and look at them."""

import csv
import io
from typing import Any

import pytest

from leads.domain.export_job import ExportJob
from leads.errors import DatabaseFault
from leads.jobs.outcome import ExportOutcome
from leads.jobs.stores import Stores
from leads.postgres.connection import Connection, Database, Transaction
from leads.postgres.export_jobs import complete_export_job
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import export_request_key, parse_export_request_key
from leads.use_cases import export_file as module
from leads.use_cases.process_export import process_export
from tests.support.imports import download, pending_uploads
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import Caller, Service, s3_event
from tests.support.waiting import wait_until

ROUTE = "/api/v1/leads/export"
LARGE = 12_000
"""Leads that make a file of 12 MB: more than two parts of an upload."""


def store(service: Service, caller: Caller, **values: object) -> None:
    """Stores a lead as another program of the CRM would."""
    values = {"name": "A", "phone": "0612345678", **values}
    names, slots = ", ".join(["org_id", *values]), ", ".join([":org_id", *(f":{name}" for name in values)])
    with service.owner() as connection:
        connection.query(f"INSERT INTO dossier ({names}) VALUES ({slots})", org_id=caller.org, **values)  # noqa: S608


def store_many(service: Service, caller: Caller, number: int = LARGE, notes: str = "x" * 1000) -> None:
    """Stores leads named L1, L2 and so on."""
    with service.owner() as connection:
        connection.query(
            "INSERT INTO dossier (org_id, name, phone, notes) "
            "SELECT :org, 'L' || n, '06', CAST(:notes AS text) "
            "FROM generate_series(1, CAST(:number AS integer)) AS n",
            org=caller.org,
            notes=notes,
            number=number,
        )


def names(text: str) -> list[str]:
    """The cells of the column `name`."""
    return [row["name"] for row in csv.DictReader(io.StringIO(text, newline=""))]


def asked(service: Service, caller: Caller, **query: str) -> StoredFile:
    """The request of an export that was handed over and is not processed yet."""
    headers = {"Prefer": "respond-async"}
    answer = service.request("GET", ROUTE, caller, query=query, headers=headers)
    assert answer.status == 202, answer
    return service.version(export_request_key(caller.org, answer.json["id"]))


def announce_export(service: Service, *requests: StoredFile) -> None:
    """Sends process_export the event that S3 sends for requests."""
    event = s3_event(service.bucket, *requests)
    service.handler("process_export")(event, FakeLambdaContext("process_export"))


def run_export(
    service: Service,
    request: StoredFile,
    *,
    database: Database | None = None,
    bucket: Bucket | None = None,
    seconds: float = 300,
) -> ExportOutcome:
    """process_export without its handler, which hides what is raised."""
    return process_export(
        request,
        Stores(database or service.database, bucket or service.bucket_of("process_export")),
        seconds=seconds,
    )


def export_of(service: Service, caller: Caller, request: StoredFile) -> dict[str, Any]:
    """An export as the polled route shows it."""
    answer = service.request("GET", f"{ROUTE}/{job_id(request)}", caller)
    assert answer.status == 200, answer
    export: dict[str, Any] = answer.json
    return export


def job_id(request: StoredFile) -> int:
    """The export that a request is for."""
    key = parse_export_request_key(request.key)
    assert key is not None, request
    return key.job_id


def attempts_of(service: Service, request: StoredFile) -> object:
    """How many deliveries have tried the export."""
    with service.owner() as connection:
        return connection.query_value("SELECT attempts FROM export_job WHERE id = :id", id=job_id(request))


def exported(export: dict[str, Any]) -> bytes:
    """The file of an export, by its link."""
    assert export["status"] == "COMPLETED", export
    return download(export["url"]).data


def versions(service: Service, prefix: str) -> list[tuple[str, str]]:
    """Key and version of all that was ever put there."""
    listed = service.s3.client.list_object_versions(Bucket=service.bucket, Prefix=prefix)
    return [(one["Key"], one["VersionId"]) for one in listed.get("Versions", [])]


def nothing_is_left(service: Service, caller: Caller) -> None:
    """Neither a file of the organisation's exports nor the parts of one."""
    prefix = f"exports/{caller.org}/"
    assert (service.keys(prefix), pending_uploads(service, prefix)) == ([], [])


def wait_until_free(service: Service, request: StoredFile) -> None:
    """Wait for the server to end a closed connection, which releases the job's lock."""
    held = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
        "AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(:job, 0)"
    )
    with service.owner() as connection:
        wait_until(lambda: not connection.query_value(held, job=f"export_job {job_id(request)}"))


def lose_commits(monkeypatch: pytest.MonkeyPatch, *, kept: bool) -> None:
    """From now on the COMMIT of every export that is COMPLETED is lost, or only the answer to it."""
    completing: list[Connection] = []
    commit = Transaction.commit

    def complete(connection: Connection, *arguments: Any, **values: Any) -> ExportJob:
        completing.append(connection)
        return complete_export_job(connection, *arguments, **values)

    def lose(transaction: Transaction) -> None:
        if transaction._connection not in completing:
            commit(transaction)
            return
        if kept:
            commit(transaction)
        raise DatabaseFault(None)

    monkeypatch.setattr(module, "complete_export_job", complete)
    monkeypatch.setattr(Transaction, "commit", lose)
