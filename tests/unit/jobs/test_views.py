"""Link a job to its report: signed without a request, for a short time, for that report alone."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config

from leads.domain.import_job import ImportCounts, ImportJob
from leads.domain.job_status import JobStatus
from leads.domain.merge_strategy import MergeStrategy
from leads.jobs.views import view_import
from leads.s3.bucket import LINK_SECONDS, Bucket

JOB = ImportJob(
    id=7,
    org_id="acme",
    filename="mes leads.csv",
    merge_strategy=MergeStrategy.SKIP,
    dry_run=False,
    status=JobStatus.COMPLETED,
    counts=ImportCounts(error=1),
    processed_rows=1,
    faults=(),
    fault_count=1,
    ignored_columns=(),
    report_key="reports/acme/7/not_imported.csv",
    failure_code=None,
    failure_reason=None,
    created_at=datetime(2024, 1, 15, tzinfo=UTC),
    created_by="ana@acme.example",
    started_at=None,
    finished_at=None,
)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """A bucket whose client can send no request, because sockets are off."""
    client = boto3.client(
        "s3",
        region_name="eu-west-3",
        # The environment may have the URL of an emulator.
        endpoint_url="https://s3.eu-west-3.amazonaws.com",
        aws_access_key_id="access",
        aws_secret_access_key="secret",  # noqa: S106
        config=Config(signature_version="s3v4"),
    )
    with closing(client):
        yield Bucket(client, "leads-bucket", result_days=7)


def test_report_link_is_signed_for_15_minutes(bucket: Bucket) -> None:
    view = view_import(JOB, bucket)
    assert view.job is JOB
    assert view.report_url is not None
    url = urlsplit(view.report_url)
    query = parse_qs(url.query)
    assert (
        f"{url.netloc}{url.path}" == "s3.eu-west-3.amazonaws.com/leads-bucket/reports/acme/7/not_imported.csv"
    )
    assert query["X-Amz-Expires"] == [str(LINK_SECONDS)] == ["900"]
    # Not the name of the file: a user typed it, and a header is ASCII.
    assert query["response-content-disposition"] == ['attachment; filename="import_7_not_imported.csv"']
    assert query["response-content-type"] == ["text/csv; charset=utf-8"]


def test_view_of_job_without_report_has_no_link(bucket: Bucket) -> None:
    assert view_import(replace(JOB, report_key=None), bucket).report_url is None


@pytest.mark.parametrize(("age", "is_there"), [(0, True), (6.9, True), (7.1, False), (400, False)])
def test_expired_report_has_no_link(bucket: Bucket, age: float, is_there: bool) -> None:
    job = replace(JOB, finished_at=datetime.now(UTC) - timedelta(days=age))
    assert (view_import(job, bucket).report_url is not None) == is_there
    bucket.result_days = None
    assert view_import(job, bucket).report_url is not None
