"""Hand an export over when its caller does not wait for the end, and poll it by id."""

import pytest

from leads.domain.export_job import ExportOrder
from leads.domain.job_status import JobStatus
from leads.domain.principal import Principal, Role
from leads.errors import ServiceFault
from leads.jobs.stores import Stores
from leads.jobs.views import ExportView
from leads.s3.bucket import Bucket
from leads.s3.keys import export_request_key
from leads.use_cases.export_leads import export_leads
from tests.integration.imports.test_import_leads import assert_problem
from tests.support.exports import (
    ROUTE,
    announce_export,
    asked,
    export_of,
    exported,
    lose_commits,
    names,
    nothing_is_left,
    store,
    store_many,
    versions,
)
from tests.support.hostile_s3 import BucketThatNotes
from tests.support.service import Answer, Caller, Service


def export_within(service: Service, caller: Caller, wait: float, bucket: Bucket | None = None) -> ExportView:
    """Export without the handler, which accepts whole seconds only."""
    return export_leads(
        Principal(caller.org, Role.ADMIN, caller.user),
        ExportOrder(),
        Stores(service.database, bucket or service.bucket_of("export_leads")),
        wait=wait,
    )


def assert_handed_over(service: Service, caller: Caller, view: ExportView) -> None:
    """Check that the export is PENDING with its request only, and that its run then writes the file."""
    job = view.job
    assert (job.status, job.row_count, view.url, view.expires_at) == (JobStatus.PENDING, 0, None, None)
    nothing_is_left(service, caller)
    request = service.version(export_request_key(caller.org, job.id))
    announce_export(service, request)
    export = export_of(service, caller, request)
    assert len(names(exported(export).decode())) == export["rowCount"] == len(service.leads(caller))


def test_export_with_late_rows_is_handed_over(service: Service, caller: Caller) -> None:
    store(service, caller)
    assert_handed_over(service, caller, export_within(service, caller, 1e-9))


def test_handed_over_export_leaves_no_uploaded_parts(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_many(service, caller)
    bucket = BucketThatNotes(service.bucket_of("export_leads"))

    class Clock:
        """A clock that stands still until a part is uploaded, and then passes the deadline."""

        @staticmethod
        def monotonic() -> float:
            return 1e6 * any(operation == "upload_part" for operation, _ in bucket.asked)

    monkeypatch.setattr("leads.use_cases.export_file.time", Clock)
    view = export_within(service, caller, 20, bucket)
    monkeypatch.undo()
    asked_for = [operation for operation, _ in bucket.asked]
    assert "upload_part" in asked_for, "the export was too small for parts, so this test tells nothing"
    assert "abort_multipart_upload" in asked_for
    assert_handed_over(service, caller, view)


def test_export_with_stalled_statement_is_handed_over(service: Service, caller: Caller) -> None:
    store(service, caller)
    with service.owner() as other:
        other.execute("START TRANSACTION; LOCK TABLE dossier")
        view = export_within(service, caller, 0.2)
    assert_handed_over(service, caller, view)


def test_export_with_wait_0_is_202_with_its_location(service: Service, caller: Caller) -> None:
    answer = service.request("GET", ROUTE, caller, headers={"Prefer": "wait=0", "Accept": "application/json"})
    assert answer.status == 202
    assert (answer.json["status"], answer.json["url"]) == ("PENDING", None)
    assert answer.headers["Preference-Applied"] == "wait=0"
    assert answer.headers["Location"] == f"{ROUTE}/{answer.json['id']}"
    nothing_is_left(service, caller)


def test_export_within_a_longer_wait_is_completed(service: Service, caller: Caller) -> None:
    store(service, caller)
    answer = service.request("GET", ROUTE, caller, headers={"Prefer": "respond-async, wait=15"})
    assert (answer.status, answer.json["status"]) == (303, "COMPLETED")
    assert answer.headers["Preference-Applied"] == "respond-async, wait=15"
    assert service.keys(f"export-requests/{caller.org}/") == []


def test_export_whose_request_s3_refuses_fails(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ServiceFault("S3 did not store it")

    monkeypatch.setattr(Bucket, "put", refuse)
    answer = service.request("GET", ROUTE, caller, headers={"Prefer": "respond-async"})
    assert_problem(answer, 500, "An internal error occurred")
    (export,) = service.request("GET", f"{ROUTE}/history", caller).json
    assert export["status"] == "FAILED"
    assert export["failureReason"] == "An internal error occurred during the export. Ask for it again."
    assert service.keys(f"export-requests/{caller.org}/") == []


def test_export_with_lost_commit_reply_returns_its_file(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller, name="Ana")
    lose_commits(monkeypatch, kept=True)
    answer = service.request("GET", ROUTE, caller)
    assert answer.status == 303
    assert names(exported(answer.json).decode()) == ["Ana"]


def test_export_with_failed_commit_fails_without_file(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller)
    lose_commits(monkeypatch, kept=False)
    assert_problem(service.request("GET", ROUTE, caller), 500, "An internal error occurred")
    assert versions(service, f"exports/{caller.org}/") == []
    nothing_is_left(service, caller)
    (export,) = service.request("GET", f"{ROUTE}/history", caller).json
    assert (export["status"], export["rowCount"]) == ("FAILED", 0)


def poll(service: Service, caller: Caller, id: object) -> Answer:
    return service.request("GET", f"{ROUTE}/{id}", caller)


def test_export_of_another_organisation_is_not_found(service: Service, caller: Caller) -> None:
    store(service, caller)
    done = service.request("GET", ROUTE, caller).json["id"]
    assert poll(service, Caller(org=caller.org, role="PRO"), done).status == 200
    document = assert_problem(poll(service, Caller(), done), 404, str(done))
    nobodys = assert_problem(poll(service, caller, done + 1_000_000), 404, str(done + 1_000_000))
    assert document["detail"].replace(str(done), "") == nobodys["detail"].replace(str(done + 1_000_000), "")


@pytest.mark.parametrize(
    ("id", "status"), [("abc", 400), ("1.5", 400), ("-1", 400), ("9" * 30, 404), ("0", 404)]
)
def test_invalid_export_id_is_refused_or_not_found(
    service: Service, caller: Caller, id: str, status: int
) -> None:
    assert_problem(poll(service, caller, id), status, "export")


def test_export_link_is_signed_anew_for_each_answer(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(service, caller)
    announce_export(service, request)
    signed: list[str] = []
    sign = Bucket.presigned_download

    def sign_and_note(bucket: Bucket, key: str, filename: str) -> str:
        signed.append(sign(bucket, key, filename))
        return signed[-1]

    monkeypatch.setattr(Bucket, "presigned_download", sign_and_note)
    looks = [export_of(service, caller, request) for _ in range(2)]
    assert [look["url"] for look in looks] == signed
    assert all(look["expiresAt"] for look in looks)


def test_job_route_with_parameter_is_refused(service: Service, caller: Caller) -> None:
    for route in (f"{ROUTE}/1", "/api/v1/leads/import/history/1"):
        answer = service.request("GET", route, caller, query={"format": "excel"})
        assert_problem(answer, 400, "Unknown parameter: format. Allowed: none")
