"""Check that expire_jobs ends jobs without a run and no others. Late files are still imported."""

import pytest

from leads.domain.job_ref import import_ref
from leads.jobs.outcome import MAX_ATTEMPTS
from leads.postgres.import_jobs import claim_import_job
from leads.s3.bucket import UPLOAD_SECONDS
from leads.s3.events import StoredFile
from leads.s3.keys import import_key
from tests.support.deployed import deployed, of_type
from tests.support.expiry import (
    CSV,
    EVENT_GONE,
    IMPORT,
    UPLOAD_GONE,
    BucketOfLongAgo,
    claimed_imports,
    dropped,
    expire,
    how_it_ended,
    make_past,
    result,
    stored_job,
    unattended,
    upload,
)
from tests.support.imports import posted
from tests.support.service import Caller, Service


def broken_off(service: Service, caller: Caller, attempts: int) -> tuple[StoredFile, int]:
    """Return a file and its job, whose runs have died."""
    file = posted(service, caller, CSV)
    id = int(file.key.split("/")[2])
    claimed_imports(service, caller, file, id, attempts)
    return file, id


@pytest.mark.fault("an upload that never comes")
def test_upload_that_never_arrives_is_failed_after_its_hour(service: Service, caller: Caller) -> None:
    id = upload(service, caller)
    make_past(service, IMPORT, id, created_at=UPLOAD_GONE - 60)
    expire(service)
    assert how_it_ended(service, IMPORT, id) == ("PENDING", None)

    make_past(service, IMPORT, id, created_at=UPLOAD_GONE + 1)
    expire(service)
    job = service.job(caller, id)
    assert (job["status"], "No file was uploaded" in job["failureReason"]) == ("FAILED", True)
    assert "send the file" in job["failureReason"]
    assert how_it_ended(service, IMPORT, id) == ("FAILED", "NOT_UPLOADED")


def test_file_that_arrives_after_its_job_expired_is_imported(service: Service, caller: Caller) -> None:
    id = upload(service, caller)
    make_past(service, IMPORT, id, created_at=UPLOAD_GONE + 1)
    expire(service)
    service.announce(service.put(import_key(caller.org, id), CSV))
    job = service.job(caller, id)
    assert (job["status"], job["successCount"], job["failureReason"]) == ("COMPLETED", 1, None)


def test_job_whose_file_waits_for_its_event_is_not_expired(service: Service, caller: Caller) -> None:
    file = posted(service, caller, CSV)
    id = int(file.key.split("/")[2])
    make_past(service, IMPORT, id, created_at=24 * 3600)
    expire(service)
    assert how_it_ended(service, IMPORT, id) == ("PENDING", None)

    expire(service, bucket=BucketOfLongAgo(service.leads_bucket))
    job = service.job(caller, id)
    assert (job["status"], "No file was uploaded" in job["failureReason"]) == ("FAILED", False)
    service.announce(file)
    assert service.job(caller, id)["status"] == "COMPLETED"


def test_file_under_a_longer_key_is_no_upload(service: Service, caller: Caller) -> None:
    id = upload(service, caller)
    service.put(f"{import_key(caller.org, id)}.bak", CSV)
    make_past(service, IMPORT, id, created_at=UPLOAD_GONE + 1)
    expire(service)
    assert how_it_ended(service, IMPORT, id) == ("FAILED", "NOT_UPLOADED")


@pytest.mark.fault("SIGKILL of every attempt")
def test_import_whose_every_run_died_is_failed_until_a_redrive(service: Service, caller: Caller) -> None:
    file, id = broken_off(service, caller, MAX_ATTEMPTS)
    expire(service)
    first_look = stored_job(service, IMPORT, id)
    assert first_look["status"] == "PROCESSING", "its run may be about to try once more"
    assert first_look["unattended_since"] is not None
    expire(service)
    assert stored_job(service, IMPORT, id) == first_look
    unattended(service, IMPORT, id)
    expire(service)
    job = service.job(caller, id)
    assert (job["status"], job["processedRows"], job["totalRows"]) == ("FAILED", 0, 0)
    assert "send it again" in job["failureReason"]
    assert how_it_ended(service, IMPORT, id) == ("FAILED", "INTERNAL")
    assert service.leads(caller) == []

    service.announce(file)
    assert service.job(caller, id)["status"] == "COMPLETED"
    assert len(service.leads(caller)) == 1


def test_claim_restarts_the_wait_for_a_run(service: Service, caller: Caller) -> None:
    file, id = broken_off(service, caller, MAX_ATTEMPTS)
    unattended(service, IMPORT, id)
    claimed_imports(service, caller, file, id, 1)
    expire(service)
    assert how_it_ended(service, IMPORT, id) == ("PROCESSING", None)


@pytest.mark.parametrize("attempts", range(1, MAX_ATTEMPTS))
def test_import_with_remaining_attempts_fails_with_its_event(
    service: Service, caller: Caller, attempts: int
) -> None:
    """A job fails before its last attempt once S3 delivers its event no more."""
    file, id = broken_off(service, caller, attempts)
    unattended(service, IMPORT, id)
    # An upload's job is older than its object, which is older than its first run.
    make_past(service, IMPORT, id, created_at=EVENT_GONE + UPLOAD_SECONDS, started_at=EVENT_GONE - 120)
    expire(service)
    assert how_it_ended(service, IMPORT, id) == ("PROCESSING", None)

    make_past(service, IMPORT, id, started_at=EVENT_GONE)
    expire(service)
    assert how_it_ended(service, IMPORT, id) == ("FAILED", "INTERNAL")
    service.announce(file)
    assert service.job(caller, id)["status"] == "COMPLETED"


def test_job_whose_run_is_alive_is_not_changed(service: Service, caller: Caller) -> None:
    file, id = broken_off(service, caller, MAX_ATTEMPTS)
    with service.app() as run:
        claim_import_job(run, import_ref(caller.org, id), object_key=file.key, object_version=file.version)
        unattended(service, IMPORT, id)
        make_past(service, IMPORT, id, created_at=86400, started_at=86400)
        before = stored_job(service, IMPORT, id)
        expire(service)
        assert stored_job(service, IMPORT, id) == before
        run.query("SELECT pg_advisory_unlock_all()")
    expire(service)
    assert how_it_ended(service, IMPORT, id) == ("FAILED", "INTERNAL")


def test_job_that_has_ended_is_not_changed(service: Service, caller: Caller) -> None:
    ids = [service.import_csv(caller, content)["id"] for content in (CSV, "no leads\n")]
    ids.append(broken_off(service, caller, MAX_ATTEMPTS)[1])
    for id in ids:
        make_past(service, IMPORT, id, created_at=86400, started_at=86400)
        unattended(service, IMPORT, id)
    expire(service)
    ended = [stored_job(service, IMPORT, id) for id in ids]
    assert [job["status"] for job in ended] == ["COMPLETED", "FAILED", "FAILED"]
    expire(service)
    assert [stored_job(service, IMPORT, id) for id in ids] == ended


def test_dropped_file_has_a_result_after_expiry_and_redrive(service: Service, caller: Caller) -> None:
    file, id = dropped(service, caller, CSV)
    make_past(service, IMPORT, id, created_at=EVENT_GONE - 120)
    expire(service)
    assert how_it_ended(service, IMPORT, id) == ("PENDING", None)

    make_past(service, IMPORT, id, created_at=EVENT_GONE)
    expire(service)
    job = service.job(caller, id)
    assert (job["status"], result(service, caller, id)) == ("FAILED", job)
    service.announce(file)
    assert result(service, caller, id) == service.job(caller, id) | {"status": "COMPLETED"}


def test_event_is_gone_five_minutes_after_its_maximum_age(service: Service) -> None:
    """The maximum age is that of the template, for both functions whose events begin a job."""
    functions = of_type(deployed(), "AWS::Serverless::Function")
    ages = {
        functions[name]["EventInvokeConfig"]["MaximumEventAgeInSeconds"]
        for name in ("ProcessImportFunction", "ProcessExportFunction")
    }
    with service.app() as connection:
        for age in ages:
            gone = "SELECT event_gone(now() - make_interval(secs => CAST(:ago AS float)))"
            assert [connection.query_value(gone, ago=float(age + extra)) for extra in (299, 301)] == [
                False,
                True,
            ]
