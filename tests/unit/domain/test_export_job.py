"""An export names its download, and knows whether it has ended."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from leads.domain.export_job import ExportJob, ExportOrder
from leads.domain.job_status import JobStatus

NOW = datetime(2024, 1, 5, 9, 3, 7, 999_999, tzinfo=UTC)
JOB = ExportJob(
    id=1,
    org_id="acme",
    filename="leads_export_20240105_090307.csv",
    order=ExportOrder(),
    status=JobStatus.PENDING,
    row_count=0,
    size_bytes=0,
    failure_code=None,
    failure_reason=None,
    created_at=NOW,
    created_by="ana@acme.example",
    started_at=None,
    finished_at=None,
)


@pytest.mark.parametrize(
    ("order", "filename"),
    [
        (ExportOrder(), "leads_export_20240105_090307.csv"),
        (ExportOrder(excel=True), "leads_export_20240105_090307.csv"),
        (ExportOrder(gzip=True), "leads_export_20240105_090307.csv.gz"),
        (ExportOrder(excel=True, gzip=True), "leads_export_20240105_090307.csv.gz"),
    ],
)
def test_filename_has_the_time_and_the_compression(order: ExportOrder, filename: str) -> None:
    assert order.filename(NOW) == filename


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        (JobStatus.PENDING, False),
        (JobStatus.PROCESSING, False),
        (JobStatus.COMPLETED, True),
        (JobStatus.FAILED, True),
    ],
)
def test_export_has_ended_if_completed_or_failed(status: JobStatus, ended: bool) -> None:
    assert replace(JOB, status=status).ended is ended
