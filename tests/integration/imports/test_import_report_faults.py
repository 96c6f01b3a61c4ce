"""Write a large report, or one during a fault: it is complete or absent, and never without its job."""

from contextlib import suppress

import pytest

from leads.errors import DatabaseFault, ServiceFault
from leads.import_engine import import_file as module
from leads.import_engine.sizes import Sizes
from leads.jobs.outcome import MAX_ATTEMPTS
from leads.postgres.import_jobs import complete_import_job
from leads.s3.bucket import Bucket
from leads.s3.multipart_writer import PART_SIZE
from tests.support.hostile_s3 import BucketThatNotes, BucketThatRefuses, ClientThatFailsOn
from tests.support.imports import counts, job_of, pending_uploads, posted, report_of, run_import, uploaded
from tests.support.service import Caller, Service

HEADER = "name,phone,source,blob\n"
SMALL = f"{HEADER}Ana,1,web,\nBob,1,web,\n,2,web,\n"
BLOB = "é" * 4500
FAULTY_ROWS = 1400
LARGE = f"{HEADER}Ana,1,web,\n" + "".join(f",{row},web,{BLOB}\n" for row in range(FAULTY_ROWS))
"""A file of one lead and 12 MiB of faulty rows: more than two parts of a report."""

PIECES = Sizes(chunk_rows=50, merge_rows=50, reader_process_bytes=2**40)


def nothing_is_left(service: Service, caller: Caller) -> None:
    """Check that there are no leads, no report and no parts of one."""
    assert service.leads(caller) == []
    prefix = f"reports/{caller.org}/"
    assert (service.keys(prefix), pending_uploads(service, prefix)) == ([], [])


def test_large_report_is_uploaded_in_parts(service: Service, caller: Caller) -> None:
    file = uploaded(service, caller, LARGE.encode())
    service.announce(file)
    job = job_of(service, caller, file)
    assert counts(job) == (FAULTY_ROWS + 1, 1, FAULTY_ROWS, 0)

    report = report_of(job)
    assert len(report.text.encode()) > 2 * PART_SIZE
    assert report.header[3:] == ["name", "phone", "source", "blob"]
    expected = [
        [str(row + 3), "error", "Name is required", "", str(row), "web", BLOB] for row in range(FAULTY_ROWS)
    ]
    differing = [row for row, wanted in zip(report.rows, expected, strict=True) if row != wanted]
    assert [row[:3] for row in differing] == []
    prefix = f"reports/{caller.org}/"
    assert pending_uploads(service, prefix) == []
    (key,) = service.keys(prefix)
    tag = service.s3.client.head_object(Bucket=service.bucket, Key=key)["ETag"]
    assert "-" in tag, "S3's mark of an object that came in parts"


@pytest.mark.parametrize("apart_bytes", [0, 2**40], ids=["in another process", "in this process"])
def test_file_found_unusable_late_has_no_report(service: Service, caller: Caller, apart_bytes: int) -> None:
    bucket = BucketThatNotes(service.bucket_of("process_import"))
    file = uploaded(service, caller, f'{LARGE}Bob,2,web,"open\n'.encode())
    run_import(service, file, PIECES._replace(reader_process_bytes=apart_bytes), bucket=bucket)
    job = job_of(service, caller, file)
    assert (job["status"], job["reportUrl"]) == ("FAILED", None)
    assert f"Row {FAULTY_ROWS + 3}: a quote" in job["failureReason"]
    asked = {operation for operation, _ in bucket.asked}
    assert "upload_part" in asked, "the report was under way, or this test tells nothing"
    nothing_is_left(service, caller)


@pytest.mark.fault("the report cannot be written")
def test_refused_report_fails_the_run_and_next_run_completes(service: Service, caller: Caller) -> None:
    file = posted(service, caller, SMALL)
    with pytest.raises(ServiceFault, match="did not store"):
        run_import(service, file, bucket=BucketThatRefuses(service.bucket_of("process_import"), "reports/"))
    nothing_is_left(service, caller)
    job = job_of(service, caller, file)
    assert (job["status"], job["reportUrl"], counts(job)) == ("PROCESSING", None, (0, 0, 0, 0))

    service.announce(file)

    job = job_of(service, caller, file)
    assert (job["status"], counts(job)) == ("COMPLETED", (3, 1, 1, 1))
    assert report_of(job).outcomes == {3: "duplicate", 4: "error"}
    assert [lead["name"] for lead in service.leads(caller)] == ["Ana"]


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
@pytest.mark.fault("the report cannot be written")
def test_large_report_refused_midway_is_removed(
    service: Service, caller: Caller, operation: str, after: int
) -> None:
    file = uploaded(service, caller, LARGE.encode())
    client = ClientThatFailsOn(
        service.bucket_of("process_import").client, operation, after=after, prefix="reports/"
    )
    with pytest.raises(ServiceFault):
        run_import(service, file, PIECES, bucket=Bucket(client, service.bucket))  # type: ignore[arg-type]
    assert client.failed.is_set()
    nothing_is_left(service, caller)


@pytest.mark.fault("the report cannot be written")
def test_report_refused_at_every_attempt_fails_the_job(service: Service, caller: Caller) -> None:
    file = posted(service, caller, SMALL)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(ServiceFault):
            run_import(
                service, file, bucket=BucketThatRefuses(service.bucket_of("process_import"), "reports/")
            )
    job = job_of(service, caller, file)
    assert (job["status"], job["reportUrl"]) == ("FAILED", None)
    assert "send it again" in job["failureReason"]
    nothing_is_left(service, caller)


def test_file_without_faulty_rows_writes_no_report(service: Service, caller: Caller) -> None:
    file = posted(service, caller, f"{HEADER}Ana,1,web,\n")
    run_import(service, file, bucket=BucketThatRefuses(service.bucket_of("process_import"), "reports/"))
    assert counts(job_of(service, caller, file)) == (1, 1, 0, 0)


def test_run_that_fails_after_its_report_is_repeated(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posted(service, caller, SMALL)
    failures = iter([DatabaseFault("57P01")])

    def fail_once(*arguments: object) -> None:
        for fault in failures:
            raise fault
        complete_import_job(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "complete_import_job", fail_once)
    service.announce(file)
    job = job_of(service, caller, file)
    assert counts(job) == (3, 1, 1, 1)
    assert report_of(job).outcomes == {3: "duplicate", 4: "error"}


@pytest.mark.parametrize(
    ("fault", "status"),
    [(DatabaseFault("23514"), "FAILED"), (ServiceFault("another program ended it"), "PROCESSING")],
)
def test_job_that_fails_at_its_end_has_no_report(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, fault: ServiceFault, status: str
) -> None:
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(module, "complete_import_job", fail)
    file = posted(service, caller, SMALL)
    with suppress(ServiceFault):
        run_import(service, file)
    job = job_of(service, caller, file)
    assert (job["status"], job["reportUrl"]) == (status, None)
    nothing_is_left(service, caller)
