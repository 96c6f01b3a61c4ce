"""Render the bodies of the API."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from leads.domain.export_job import ExportJob, ExportOrder
from leads.domain.failure_code import FailureCode
from leads.domain.import_job import ImportCounts, ImportJob, Upload
from leads.domain.job_status import JobStatus
from leads.domain.lead import LeadStatus
from leads.domain.lead_filter import LeadFilter
from leads.domain.merge_strategy import MergeStrategy
from leads.domain.row_error import RowError
from leads.jobs.bodies import (
    ExportResult,
    ExportSummary,
    ImportDetails,
    ImportResult,
    ImportSummary,
    UploadCreated,
)
from leads.jobs.views import ExportView, ImportView

FAULTS = (
    RowError(5, "phone", "Phone is required"),
    RowError(12, "source", "Invalid source value: invalid_source"),
)
KEY = "reports/acme/123/not_imported.csv"
URL = "https://bucket.example/not_imported.csv?X-Amz-Signature=1"
JOB = ImportJob(
    id=123,
    org_id="acme",
    filename="leads_2024.csv",
    merge_strategy=MergeStrategy.OVERWRITE,
    dry_run=False,
    status=JobStatus.COMPLETED,
    counts=ImportCounts(success=95, error=3, skipped=2),
    processed_rows=100,
    faults=FAULTS,
    fault_count=2,
    ignored_columns=("Ville",),
    report_key=KEY,
    failure_code=None,
    failure_reason=None,
    created_at=datetime(2024, 1, 15, 11, 30, tzinfo=timezone(timedelta(hours=1))),
    created_by="user@example.com",
    started_at=datetime(2024, 1, 15, 10, 30, 1, 999_999, tzinfo=UTC),
    finished_at=None,
)
VIEW = ImportView(JOB, URL)
SUMMARY = {
    "id": 123,
    "filename": "leads_2024.csv",
    "status": "COMPLETED",
    "mergeStrategy": "OVERWRITE",
    "dryRun": False,
    "totalRows": 100,
    "successCount": 95,
    "errorCount": 3,
    "skippedCount": 2,
    "processedRows": 100,
    "ignoredColumns": ["Ville"],
    "failureReason": None,
    "reportUrl": URL,
    "createdAt": "2024-01-15T10:30:00",
    "createdBy": "user@example.com",
    "startedAt": "2024-01-15T10:30:01",
    "finishedAt": None,
}


def many(count: int, stored: int) -> ImportView:
    faults = tuple(RowError(row, None, "x") for row in range(2, stored + 2))
    return ImportView(replace(JOB, faults=faults, fault_count=count), URL)


def details(view: ImportView) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(ImportDetails.of(view).to_json())
    return body


def test_import_result_has_counts_and_faults() -> None:
    assert json.loads(ImportResult.of(VIEW).to_json()) == {
        "importJobId": 123,
        "status": "COMPLETED",
        "totalRows": 100,
        "successCount": 95,
        "errorCount": 3,
        "skippedCount": 2,
        "validationErrors": [
            {"row": 5, "field": "phone", "message": "Phone is required"},
            {"row": 12, "field": "source", "message": "Invalid source value: invalid_source"},
        ],
        "validationErrorsTruncated": False,
        "reportUrl": URL,
    }


def test_import_without_report_has_no_link() -> None:
    view = ImportView(replace(JOB, report_key=None), None)
    for schema in (ImportResult, ImportSummary, ImportDetails):
        assert json.loads(schema.of(view).to_json())["reportUrl"] is None


def test_import_bodies_never_contain_the_report_key() -> None:
    for schema in (ImportResult, ImportSummary, ImportDetails):
        assert KEY not in schema.of(VIEW).to_json()


def test_import_result_with_omitted_faults_is_truncated() -> None:
    assert not ImportResult.of(many(1000, stored=1000)).validation_errors_truncated
    result = ImportResult.of(many(1001, stored=1000))
    assert result.validation_errors_truncated
    assert len(result.validation_errors) == 1000


def test_import_summary_has_no_faults_and_utc_times() -> None:
    assert json.loads(ImportSummary.of(VIEW).to_json()) == SUMMARY


def test_import_details_have_a_line_for_each_fault() -> None:
    report = "Row 5: Phone is required\nRow 12: Invalid source value: invalid_source\n"
    assert details(VIEW) == SUMMARY | {"errorReport": report}


def test_fault_with_line_breaks_in_its_cell_is_one_line() -> None:
    fault = RowError(5, "source", "Invalid source value: x\r\nRow 9: Phone is required\u2028\x1b[31m\u202e")
    report = details(ImportView(replace(JOB, faults=(fault,), fault_count=1), URL))["errorReport"]
    assert report == "Row 5: Invalid source value: x Row 9: Phone is required [31m \n"


def test_error_report_ends_with_the_number_of_omitted_faults() -> None:
    lines = details(many(2500, stored=1000))["errorReport"].splitlines()
    assert len(lines) == 1001
    assert lines[-2:] == ["Row 1001: x", "… and 1,500 more"]
    assert details(many(1000, stored=1000))["errorReport"].count("\n") == 1000


def test_import_without_faults_has_an_empty_error_report() -> None:
    assert details(many(0, stored=0))["errorReport"] == ""


def test_failed_import_has_its_reason() -> None:
    failed = replace(
        JOB,
        status=JobStatus.FAILED,
        counts=ImportCounts(),
        failure_code=FailureCode.INVALID_CSV,
        failure_reason="Row 7: a quote …",
        report_key=None,
    )
    body = details(ImportView(failed, None))
    assert (body["status"], body["totalRows"], body["failureReason"]) == ("FAILED", 0, "Row 7: a quote …")


def test_upload_created_has_the_form_and_its_expiry() -> None:
    upload = Upload(
        7, "https://bucket.example", {"key": "imports/acme/7"}, datetime(2024, 1, 15, 11, tzinfo=UTC)
    )
    assert json.loads(UploadCreated.of(upload).to_json()) == {
        "importJobId": 7,
        "upload": {"url": "https://bucket.example", "fields": {"key": "imports/acme/7"}},
        "expiresAt": "2024-01-15T11:00:00",
    }


EXPORT = ExportJob(
    id=9,
    org_id="acme",
    filename="leads_export_20240115_103000.csv",
    order=ExportOrder(LeadFilter(status=LeadStatus.NEW), columns=("id", "name"), excel=True),
    status=JobStatus.COMPLETED,
    row_count=5000,
    size_bytes=123_456,
    failure_code=None,
    failure_reason=None,
    created_at=datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
    created_by="ana@agency.example",
    started_at=datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
    finished_at=None,
)
EXPORT_RESULT = {
    "id": 9,
    "status": "COMPLETED",
    "url": "https://bucket.example/x",
    "filename": "leads_export_20240115_103000.csv",
    "rowCount": 5000,
    "sizeBytes": 123456,
    "expiresAt": "2024-01-15T10:45:00",
}


def test_completed_export_has_its_link() -> None:
    view = ExportView(EXPORT, "https://bucket.example/x", datetime(2024, 1, 15, 10, 45, tzinfo=UTC))
    assert json.loads(ExportResult.of(view).to_json()) == EXPORT_RESULT


def test_running_export_has_its_rows_so_far() -> None:
    running = replace(EXPORT, status=JobStatus.PROCESSING, row_count=40, size_bytes=0)
    assert json.loads(ExportResult.of(ExportView(running, None, None)).to_json()) == EXPORT_RESULT | {
        "status": "PROCESSING",
        "url": None,
        "rowCount": 40,
        "sizeBytes": 0,
        "expiresAt": None,
    }


def test_failed_export_has_its_reason() -> None:
    failed = replace(EXPORT, status=JobStatus.FAILED, failure_reason="Ask again.", row_count=0)
    body = json.loads(ExportResult.of(ExportView(failed, None, None)).to_json())
    assert (body["status"], body["failureReason"]) == ("FAILED", "Ask again.")


def test_export_summary_has_user_filters_and_columns() -> None:
    assert json.loads(ExportSummary.of(EXPORT).to_json()) == {
        "id": 9,
        "status": "COMPLETED",
        "filename": "leads_export_20240115_103000.csv",
        "filters": {"status": "NEW"},
        "columns": ["id", "name"],
        "format": "excel",
        "gzip": False,
        "rowCount": 5000,
        "sizeBytes": 123456,
        "failureReason": None,
        "createdAt": "2024-01-15T10:30:00",
        "createdBy": "ana@agency.example",
        "startedAt": "2024-01-15T10:30:00",
        "finishedAt": None,
    }
