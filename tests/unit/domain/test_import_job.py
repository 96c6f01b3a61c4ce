"""The counts of an import add up, and it knows whether it has ended."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from leads.domain.import_job import ImportCounts, ImportJob
from leads.domain.job_status import JobStatus
from leads.domain.merge_strategy import MergeStrategy

JOB = ImportJob(
    id=1,
    org_id="acme",
    filename="leads.csv",
    merge_strategy=MergeStrategy.SKIP,
    dry_run=False,
    status=JobStatus.PENDING,
    counts=ImportCounts(),
    processed_rows=0,
    faults=(),
    fault_count=0,
    ignored_columns=(),
    report_key=None,
    failure_code=None,
    failure_reason=None,
    created_at=datetime(2024, 1, 15, tzinfo=UTC),
    created_by="ana@acme.example",
    started_at=None,
    finished_at=None,
)


def test_total_is_success_and_error_and_skipped() -> None:
    assert ImportCounts(success=95, error=3, skipped=2).total == 100


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        (JobStatus.PENDING, False),
        (JobStatus.PROCESSING, False),
        (JobStatus.COMPLETED, True),
        (JobStatus.FAILED, True),
    ],
)
def test_import_has_ended_if_completed_or_failed(status: JobStatus, ended: bool) -> None:
    assert replace(JOB, status=status).ended is ended
