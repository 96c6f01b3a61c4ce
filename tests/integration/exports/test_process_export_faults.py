"""Process an export during faults: a retry, or FAILED with a reason, and never half a file."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from leads.domain.export_job import ExportJob
from leads.errors import DatabaseFault, ServiceFault
from leads.jobs.outcome import COMPLETED, MAX_ATTEMPTS
from leads.postgres.connection import Connection
from leads.postgres.export import copy_leads
from leads.postgres.export_jobs import get_export_job
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.use_cases import export_file as module
from leads.use_cases import process_export
from tests.integration.imports.test_process_import_concurrency import DatabaseThatGoesAway
from tests.support.exports import (
    announce_export,
    asked,
    attempts_of,
    export_of,
    exported,
    lose_commits,
    names,
    nothing_is_left,
    run_export,
    store,
    store_many,
    versions,
    wait_until_free,
)
from tests.support.hostile_s3 import ClientThatFailsOn
from tests.support.service import Caller, Service

INTERNAL_FAULT = "An internal error occurred during the export. Ask for it again."


def fail_copying(monkeypatch: pytest.MonkeyPatch, sqlstate: str) -> None:
    def fail(*_: object) -> int:
        raise DatabaseFault(sqlstate)

    monkeypatch.setattr(module, "copy_leads", fail)


def three_attempts(service: Service, caller: Caller, request: StoredFile, attempt: Callable[[], Any]) -> None:
    """Fail three attempts, and check the state before and after each."""
    for number in range(1, MAX_ATTEMPTS + 1):
        assert export_of(service, caller, request)["status"] != "FAILED", f"before attempt {number}"
        with pytest.raises(ServiceFault):
            attempt()
        wait_until_free(service, request)
        nothing_is_left(service, caller)
        assert attempts_of(service, request) == number


def test_database_lost_once_is_retried_within_the_export(service: Service, caller: Caller) -> None:
    request = asked(service, caller)
    assert (
        run_export(service, request, database=DatabaseThatGoesAway(service.database, {1})).ended == COMPLETED
    )
    assert attempts_of(service, request) == 1


def lose_reads(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Lose Postgres between the claim of an export and the reading of its job, a number of times."""
    faults = iter([DatabaseFault("57P01")] * times)

    def read(connection: Connection, org_id: str, id: int) -> ExportJob | None:
        for fault in faults:
            raise fault
        return get_export_job(connection, org_id, id)

    monkeypatch.setattr(process_export, "get_export_job", read)


def test_database_lost_after_the_claim_costs_no_further_attempt(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(service, caller)
    lose_reads(monkeypatch, 1)
    assert run_export(service, request).ended == COMPLETED
    assert attempts_of(service, request) == 1


def test_database_lost_after_the_last_claim_fails_the_export(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(service, caller)
    with service.owner() as owner:
        last = MAX_ATTEMPTS - 1
        owner.query("UPDATE export_job SET attempts = :last WHERE org_id = :org", last=last, org=caller.org)
    lose_reads(monkeypatch, 2)
    with pytest.raises(DatabaseFault):
        run_export(service, request)
    export = export_of(service, caller, request)
    assert (export["status"], export["failureReason"]) == ("FAILED", INTERNAL_FAULT)
    assert attempts_of(service, request) == MAX_ATTEMPTS


def test_connection_lost_while_copying_is_retried_in_the_run(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller, name="Ana")
    request = asked(service, caller)
    calls: list[Connection] = []

    def die_once(connection: Connection, *arguments: Any) -> int:
        calls.append(connection)
        if len(calls) == 1:
            try:
                connection.query("SELECT pg_terminate_backend(pg_backend_pid())")
            finally:
                wait_until_free(service, request)
        return copy_leads(connection, *arguments)

    monkeypatch.setattr(module, "copy_leads", die_once)
    outcome = run_export(service, request)
    assert (outcome.ended, outcome.row_count, len(calls)) == (COMPLETED, 1, 2)
    assert attempts_of(service, request) == 1
    assert names(exported(export_of(service, caller, request)).decode()) == ["Ana"]


def test_third_attempt_fails_the_export_and_redrive_completes(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller, name="Ana")
    request = asked(service, caller)
    with monkeypatch.context() as patched:
        fail_copying(patched, "57P01")
        three_attempts(service, caller, request, lambda: announce_export(service, request))
    failed = export_of(service, caller, request)
    assert {name: failed[name] for name in ("status", "url", "rowCount", "failureReason")} == {
        "status": "FAILED",
        "url": None,
        "rowCount": 0,
        "failureReason": INTERNAL_FAULT,
    }

    announce_export(service, request)

    export = export_of(service, caller, request)
    assert "failureReason" not in export
    assert names(exported(export).decode()) == ["Ana"]


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        ("create_multipart_upload", 0),
        ("upload_part", 0),
        ("upload_part", 1),
        ("complete_multipart_upload", 0),
    ],
)
@pytest.mark.fault("a part upload fails")
def test_export_refused_at_every_attempt_leaves_no_part(
    service: Service, caller: Caller, operation: str, after: int
) -> None:
    store_many(service, caller)
    request = asked(service, caller)

    def attempt() -> None:
        client = ClientThatFailsOn(
            service.bucket_of("process_export").client, operation, after=after, prefix="exports/"
        )
        try:
            run_export(service, request, bucket=Bucket(client, service.bucket))  # type: ignore[arg-type]
        finally:
            assert client.failed.is_set(), f"{operation} was not asked for, so this test tells nothing"

    three_attempts(service, caller, request, attempt)
    export = export_of(service, caller, request)
    assert (export["status"], export["failureReason"]) == ("FAILED", INTERNAL_FAULT)


def test_permanent_database_fault_fails_the_export(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(service, caller)
    with monkeypatch.context() as patched:
        fail_copying(patched, "42501")
        assert run_export(service, request).ended == "REJECTED_BY_DATABASE"
    wait_until_free(service, request)
    announce_export(service, request)
    export = export_of(service, caller, request)
    assert (export["status"], export["failureReason"]) == ("FAILED", INTERNAL_FAULT)
    assert attempts_of(service, request) == 1
    nothing_is_left(service, caller)


@pytest.mark.parametrize("leads", [0, 3])
def test_export_beyond_its_deadline_fails_with_advice(service: Service, caller: Caller, leads: int) -> None:
    store_many(service, caller, leads)
    request = asked(service, caller)
    outcome = run_export(service, request, seconds=-1)
    assert (outcome.ended, outcome.fault) == ("EXPORT_TOO_LONG", None)
    export = export_of(service, caller, request)
    assert export["status"] == "FAILED"
    assert "narrow it with startDate and endDate, status or source" in export["failureReason"]
    nothing_is_left(service, caller)
    wait_until_free(service, request)
    announce_export(service, request)
    assert export_of(service, caller, request)["status"] == "FAILED", "it would be too long again"


def test_large_export_beyond_its_deadline_leaves_no_part(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_many(service, caller)
    request = asked(service, caller)
    over = threading.Event()

    class ClientThatEndsTheTime:
        """A client for which the deadline passes with the first part."""

        def __getattr__(self, name: str) -> Any:
            return getattr(service.bucket_of("process_export").client, name)

        def create_multipart_upload(self, **arguments: Any) -> Any:
            over.set()
            return service.bucket_of("process_export").client.create_multipart_upload(**arguments)

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + (1e6 if over.is_set() else 0))
    monkeypatch.setattr(module, "time", clock)
    outcome = run_export(service, request, bucket=Bucket(ClientThatEndsTheTime(), service.bucket))  # type: ignore[arg-type]
    assert over.is_set(), "the export was too small for parts, so this test tells nothing"
    assert outcome.ended == "EXPORT_TOO_LONG"
    nothing_is_left(service, caller)


def test_process_export_with_lost_commit_reply_has_its_file(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller, name="Ana")
    request = asked(service, caller)
    lose_commits(monkeypatch, kept=True)
    assert run_export(service, request).ended == COMPLETED
    assert names(exported(export_of(service, caller, request)).decode()) == ["Ana"]
    assert len(versions(service, f"exports/{caller.org}/")) == 1


def test_process_export_with_failed_commit_is_repeated(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller, name="Ana")
    request = asked(service, caller)
    with monkeypatch.context() as patched:
        lose_commits(patched, kept=False)
        with pytest.raises(ServiceFault):
            run_export(service, request)
    assert versions(service, f"exports/{caller.org}/") == []
    nothing_is_left(service, caller)
    assert export_of(service, caller, request)["status"] == "PROCESSING"
    wait_until_free(service, request)
    announce_export(service, request)
    assert names(exported(export_of(service, caller, request)).decode()) == ["Ana"]


def test_failing_export_of_an_event_delays_no_other(
    service: Service,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The log has no personal data."""
    store(service, caller, name="Zaphod")
    bad, good = asked(service, caller, columns="id"), asked(service, caller, columns="name")

    def fail_for_ids(connection: Connection, org_id: str, order: Any, sink: Any) -> int:
        if order.columns == ("id",):
            raise ServiceFault("S3 broke off")
        return copy_leads(connection, org_id, order, sink)

    monkeypatch.setattr(module, "copy_leads", fail_for_ids)
    with pytest.raises(ServiceFault, match="1 of 2 exports failed"):
        announce_export(service, bad, good)
    assert names(exported(export_of(service, caller, good)).decode()) == ["Zaphod"]
    logged = capsys.readouterr().out
    assert '"ExportFaults":[1.0]' in logged
    assert "Zaphod" not in logged


def test_unexpected_fault_fails_the_export_at_last_attempt(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(service, caller)

    def fail(*_: object) -> int:
        raise KeyError("unthought of")

    with monkeypatch.context() as patched:
        patched.setattr(module, "copy_leads", fail)
        for _ in range(MAX_ATTEMPTS):
            with pytest.raises(KeyError):
                run_export(service, request)
            wait_until_free(service, request)
    export = export_of(service, caller, request)
    assert (export["status"], export["failureReason"]) == ("FAILED", INTERNAL_FAULT)


def test_run_near_its_deadline_does_not_retry(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller, name="Ana")
    request = asked(service, caller)
    with monkeypatch.context() as patched:
        fail_copying(patched, "08006")
        with pytest.raises(DatabaseFault):
            run_export(service, request, seconds=30)
    assert attempts_of(service, request) == 1
    wait_until_free(service, request)
    assert run_export(service, request).ended == COMPLETED
