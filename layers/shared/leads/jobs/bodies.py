"""The bodies of the API's answers: its contract with callers. Field names are camelCase on the wire.

Dataclasses: what we say ourselves needs no validation, and models of pydantic's take a fifth of a cold start.
"""

import json
import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from typing import Final, Self

from leads.domain.export_job import ExportJob
from leads.domain.import_job import REPORTED_FAULTS, ImportJob, Upload
from leads.jobs.views import ExportView, ImportView


@cache
def _camel_case(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


def _on_the_wire(value: object) -> object:
    match value:
        case datetime():
            # `2024-01-15T10:30:00`, UTC.
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        case _Body():
            return {_camel_case(field.name): getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no place in a body")


@dataclass(frozen=True, kw_only=True)
class _Body:
    def to_json(self) -> str:
        """The body of an answer."""
        return json.dumps(self, default=_on_the_wire, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class UploadTarget(_Body):
    """A presigned POST: send `fields` and then `file` as multipart/form-data to `url`."""

    url: str
    fields: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class UploadCreated(_Body):
    """What it answers: put the file there before `expiresAt`, then ask the history for the job."""

    import_job_id: int
    upload: UploadTarget
    expires_at: datetime

    @classmethod
    def of(cls, upload: Upload) -> Self:
        target = UploadTarget(url=upload.url, fields=upload.fields)
        return cls(import_job_id=upload.job_id, upload=target, expires_at=upload.expires_at)


@dataclass(frozen=True, kw_only=True)
class ValidationError(_Body):
    """One fault of one row; `field` is null when it is the whole row's."""

    row: int
    field: str | None
    message: str


@dataclass(frozen=True, kw_only=True)
class ImportResult(_Body):
    """What POST /api/v1/leads/import answers: the job when it ended or the wait was over."""

    import_job_id: int
    status: str
    total_rows: int
    success_count: int
    error_count: int
    skipped_count: int
    validation_errors: list[ValidationError]
    validation_errors_truncated: bool
    report_url: str | None

    @classmethod
    def of(cls, view: ImportView) -> Self:
        job = view.job
        return cls(
            import_job_id=job.id,
            status=job.status,
            total_rows=job.counts.total,
            success_count=job.counts.success,
            error_count=job.counts.error,
            skipped_count=job.counts.skipped,
            validation_errors=[
                ValidationError(row=fault.row, field=fault.field, message=fault.message)
                for fault in job.faults
            ],
            validation_errors_truncated=job.fault_count > len(job.faults),
            report_url=view.report_url,
        )


@dataclass(frozen=True, kw_only=True)
class ImportSummary(_Body):
    """An item of GET /api/v1/leads/import/history."""

    id: int
    filename: str
    status: str
    merge_strategy: str
    dry_run: bool
    total_rows: int
    success_count: int
    error_count: int
    skipped_count: int
    processed_rows: int
    ignored_columns: list[str]
    failure_reason: str | None
    report_url: str | None
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, view: ImportView) -> "ImportSummary":
        job = view.job
        return ImportSummary(
            id=job.id,
            filename=job.filename,
            status=job.status,
            merge_strategy=job.merge_strategy,
            dry_run=job.dry_run,
            total_rows=job.counts.total,
            success_count=job.counts.success,
            error_count=job.counts.error,
            skipped_count=job.counts.skipped,
            processed_rows=job.processed_rows,
            ignored_columns=list(job.ignored_columns),
            failure_reason=job.failure_reason,
            report_url=view.report_url,
            created_at=job.created_at,
            created_by=job.created_by,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


@dataclass(frozen=True, kw_only=True)
class ImportDetails(ImportSummary):
    """What GET /api/v1/leads/import/history/{id} answers."""

    error_report: str

    @classmethod
    def of(cls, view: ImportView) -> "ImportDetails":
        return cls(**vars(ImportSummary.of(view)), error_report=_error_report(view.job))


@dataclass(frozen=True, kw_only=True)
class ExportResult(_Body):
    """What GET /api/v1/leads/export and …/export/{id} answer: `url` is null until the file is there and once
    it has expired, and `rowCount` the rows so far.
    """

    id: int
    status: str
    url: str | None
    filename: str
    row_count: int
    size_bytes: int
    expires_at: datetime | None

    @classmethod
    def of(cls, view: ExportView) -> "ExportResult":
        job = view.job
        result = ExportResult(
            id=job.id,
            status=job.status,
            url=view.url,
            filename=job.filename,
            row_count=job.row_count,
            size_bytes=job.size_bytes,
            expires_at=view.expires_at,
        )
        if job.failure_reason is None:
            return result
        return FailedExport(**vars(result), failure_reason=job.failure_reason)


@dataclass(frozen=True, kw_only=True)
class FailedExport(ExportResult):
    """An export that came to nothing."""

    failure_reason: str


@dataclass(frozen=True, kw_only=True)
class ExportSummary(_Body):
    """An item of GET /api/v1/leads/export/history."""

    id: int
    status: str
    filename: str
    filters: dict[str, str]
    columns: list[str]
    format: str
    gzip: bool
    row_count: int
    size_bytes: int
    failure_reason: str | None
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: ExportJob) -> Self:
        return cls(
            id=job.id,
            status=job.status,
            filename=job.filename,
            filters=job.order.leads.as_recorded(),
            columns=list(job.order.columns),
            format="excel" if job.order.excel else "csv",
            gzip=job.order.gzip,
            row_count=job.row_count,
            size_bytes=job.size_bytes,
            failure_reason=job.failure_reason,
            created_at=job.created_at,
            created_by=job.created_by,
            started_at=job.started_at,
            finished_at=job.finished_at,
        )


_NOT_OF_A_LINE: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
"""Line breaks and other controls, which a wrong cell that a message repeats may have."""


def _error_report(job: ImportJob) -> str:
    """A line per fault, at most REPORTED_FAULTS of them, and how many more there are."""
    faults = job.faults[:REPORTED_FAULTS]
    lines = [f"Row {fault.row}: {_NOT_OF_A_LINE.sub(' ', fault.message)}\n" for fault in faults]
    if job.fault_count > len(lines):
        lines.append(f"… and {job.fault_count - len(lines):,} more\n")
    return "".join(lines)
