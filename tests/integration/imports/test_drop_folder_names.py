"""Drop files with hostile names: the result stays in its organisation's folder."""

import pytest

from leads.jobs.outcome import IGNORED, ImportOutcome
from leads.s3.events import StoredFile
from tests.support.hostile_s3 import BucketThatNotes
from tests.support.imports import run_import
from tests.support.service import Caller, Service

CSV = b"name,phone,source\nA,1,web\n"


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "...csv",
        "../x.csv",
        "../other/x.csv",
        "SKIP/../../../exports/x.csv",
        "..\\..\\x.csv",
        "x.csv?versionId=1",
        "%2e%2e%2fother%2fx.csv",
        "x%00.csv",
        "a+b c%20d.csv",
        "deeper/é\u202e\u0007\r\n.csv",
        "\u2028.csv",
        "😀" * 248 + ".csv",
        "é" * 400 + ".csv",
        f"{'n' * 300}.csv.gz",
    ],
)
def test_drop_result_stays_in_its_folder_for_any_filename(
    service: Service, caller: Caller, name: str
) -> None:
    bucket = BucketThatNotes(service.bucket_of("process_import"))
    # Announced, but not stored: an S3 client may normalise such a key before it stores the object.
    run_import(service, StoredFile(f"drop/{caller.org}/{name}", "v1"), bucket=bucket)
    (job,) = service.request("GET", "/api/v1/leads/import/history", caller).json
    assert job["status"] == "FAILED"
    ((operation, key),) = [asked for asked in bucket.asked if not asked[0].startswith("get_")]
    assert operation == "put_object"
    assert key.startswith(f"drop-results/{caller.org}/")
    assert key.endswith(f".{job['id']}.json")
    assert key.count("/") == 2
    assert len(key.encode()) <= 1024, "S3's limit"


@pytest.mark.parametrize(
    "key",
    [
        "drop/../other/a.csv",
        "drop/-x/a.csv",
        "drop/a b/a.csv",
        "drop/é/a.csv",
        f"drop/{'x' * 65}/a.csv",
        "drop//a.csv",
        "drop/a.csv",
        "drop/acme\n/a.csv",
        "drop-results/acme/a.csv.1.json",
        "dropped/acme/a.csv",
    ],
)
def test_drop_without_valid_organisation_makes_no_job(service: Service, key: str) -> None:
    bucket = BucketThatNotes(service.bucket_of("process_import"))
    with service.owner() as connection:
        count = "SELECT count(*) FROM import_job"
        jobs = connection.query_value(count)
        assert run_import(service, StoredFile(key, "v1"), bucket=bucket) == ImportOutcome(
            job_id=None, ended=IGNORED
        )
        assert connection.query_value(count) == jobs
    assert bucket.asked == []


def test_upload_has_no_drop_result(service: Service, caller: Caller) -> None:
    service.import_csv(caller, CSV)
    service.import_csv(caller, b"")
    assert service.keys(f"drop-results/{caller.org}/") == []
