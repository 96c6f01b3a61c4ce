"""Check that expire_jobs ends other jobs when one fails, counts what it ended, and loses nothing."""

import json

import pytest

from leads.domain.job_ref import JobRef
from leads.errors import DatabaseFault, ServiceFault
from leads.postgres.connection import Connection
from leads.postgres.overdue_jobs import HeldJob
from tests.support.expiry import (
    CSV,
    EVENT_GONE,
    IMPORT,
    UPLOAD_GONE,
    dropped,
    expire,
    how_it_ended,
    invoke_expire_jobs,
    make_past,
    result,
    upload,
)
from tests.support.hostile_s3 import BucketThatRefuses
from tests.support.service import Caller, Service

pytestmark = pytest.mark.usefixtures("no_unfinished_jobs")


def test_job_whose_result_is_not_stored_is_failed_next_time(service: Service, caller: Caller) -> None:
    """Other jobs are ended meanwhile."""
    _, id = dropped(service, caller, CSV)
    make_past(service, IMPORT, id, created_at=EVENT_GONE)
    another = upload(service, caller)
    make_past(service, IMPORT, another, created_at=UPLOAD_GONE + 1)
    assert expire(service, bucket=BucketThatRefuses(service.leads_bucket, "drop-results/")).faults == 1
    assert how_it_ended(service, IMPORT, id) == ("PENDING", None)
    assert how_it_ended(service, IMPORT, another) == ("FAILED", "NOT_UPLOADED")

    expire(service)
    assert result(service, caller, id)["status"] == "FAILED"


def test_handler_counts_expired_jobs_by_kind(
    service: Service, caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        make_past(service, IMPORT, upload(service, caller), created_at=UPLOAD_GONE + 1)
    assert invoke_expire_jobs(service)["upload"] == 2
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [metric["JobsExpired"] for metric in printed if metric.get("kind") == "upload"] == [[2.0]]
    assert "upload" not in invoke_expire_jobs(service)


def test_metric_of_broken_off_jobs_excludes_missing_uploads(
    service: Service, caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken_off() -> float:
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        several = [line for line in lines if "JobsBrokenOff" in line]
        # The alarm selects the metric by its function alone.
        assert all("kind" not in line for line in several)
        return float(sum(line["JobsBrokenOff"][0] for line in several))

    invoke_expire_jobs(service)
    broken_off()
    make_past(service, IMPORT, upload(service, caller), created_at=UPLOAD_GONE + 1)
    ended = invoke_expire_jobs(service)
    assert ended["upload"] == 1
    assert broken_off() == sum(ended.values()) - 1
    _, id = dropped(service, caller, CSV)
    make_past(service, IMPORT, id, created_at=EVENT_GONE)
    ended = invoke_expire_jobs(service)
    assert ended["import"] >= 1
    assert broken_off() == sum(ended.values())


def test_handler_raises_when_a_job_could_not_be_ended(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = upload(service, caller)
    make_past(service, IMPORT, id, created_at=UPLOAD_GONE + 1)

    def fail(*_: object) -> None:
        raise ServiceFault("S3 did not list an object")

    with monkeypatch.context() as patched:
        patched.setattr("leads.s3.bucket.Bucket.stored_at", fail)
        with pytest.raises(ServiceFault, match="1 jobs could not be expired"):
            invoke_expire_jobs(service)
    invoke_expire_jobs(service)
    assert how_it_ended(service, IMPORT, id) == ("FAILED", "NOT_UPLOADED")


def test_handler_that_fails_discloses_no_data(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("0612345678")

    monkeypatch.setattr("leads.use_cases.expire_jobs.find_overdue_jobs", fail)
    with pytest.raises(ServiceFault, match="no jobs could be expired") as raised:
        invoke_expire_jobs(service)
    assert raised.value.__suppress_context__, "Lambda logs what is raised, with its cause"


@pytest.mark.parametrize(
    ("sqlstate", "faults"), [("57P01", 1), ("23514", 2)], ids=["of the server", "of one job"]
)
def test_database_fault_ends_the_run_unless_it_is_the_jobs_own(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, sqlstate: str, faults: int
) -> None:
    ids = [upload(service, caller) for _ in range(2)]
    for id in ids:
        make_past(service, IMPORT, id, created_at=UPLOAD_GONE + 1)

    def fail(connection: Connection, job: JobRef) -> HeldJob | None:
        if job.org_id == caller.org:
            raise DatabaseFault(sqlstate)
        return None

    with monkeypatch.context() as patched:
        patched.setattr("leads.use_cases.expire_jobs.hold_overdue_job", fail)
        assert expire(service).faults == faults
    expire(service)
    assert [how_it_ended(service, IMPORT, id)[0] for id in ids] == ["FAILED"] * 2


def test_run_is_bounded_and_the_next_run_continues(service: Service, caller: Caller) -> None:
    ids = [upload(service, caller) for _ in range(3)]
    for id in ids:
        make_past(service, IMPORT, id, created_at=UPLOAD_GONE + 1)

    def ended() -> int:
        return [how_it_ended(service, IMPORT, id)[0] for id in ids].count("FAILED")

    expire(service, seconds=-1)
    assert ended() == 0
    expire(service, max_jobs=2)
    assert ended() <= 2
    expire(service)
    assert ended() == 3
