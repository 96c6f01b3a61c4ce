"""Write jobs as JSON: the bodies of the API's answers, which are its contract, and of drop results.

Field names are camelCase on the wire. The bodies are dataclasses: own values need no validation, and
pydantic's models would take a fifth of a cold start.
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
    raise TypeError(f"a body cannot hold a {type(value).__name__}")


@dataclass(frozen=True, kw_only=True)
class _Body:
    def to_json(self) -> str:
        """Return the body as JSON."""
        return json.dumps(self, default=_on_the_wire, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class UploadTarget(_Body):
    """A presigned POST: send `fields` and then `file` as multipart/form-data to `url`."""

    url: str
    fields: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class UploadCreated(_Body):
    """The answer of POST /api/v1/leads/import/uploads.

    The caller sends the file before `expiresAt`, then reads the job from the history.
    """

    import_job_id: int
    upload: UploadTarget
    expires_at: datetime

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """Describe an upload that was prepared."""
        target = UploadTarget(url=upload.url, fields=upload.fields)
        return cls(import_job_id=upload.job_id, upload=target, expires_at=upload.expires_at)


@dataclass(frozen=True, kw_only=True)
class ValidationError(_Body):
    """One fault of one row. `field` is null if the fault concerns the whole row."""

    row: int
    field: str | None
    message: str


@dataclass(frozen=True, kw_only=True)
class ImportResult(_Body):
    """The answer of POST /api/v1/leads/import: the job when it has ended, or when the wait is over."""

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
        """Describe an import by its counts and first faults."""
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
        """Describe an import without its faults."""
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
    """The answer of GET /api/v1/leads/import/history/{id}, and the result of a dropped file."""

    error_report: str

    @classmethod
    def of(cls, view: ImportView) -> "ImportDetails":
        """Describe an import with its faults as text."""
        return cls(**vars(ImportSummary.of(view)), error_report=_error_report(view.job))


@dataclass(frozen=True, kw_only=True)
class ExportResult(_Body):
    """The answer of GET /api/v1/leads/export and …/export/{id}.

    `url` is null until the file is complete, and once it has expired. `rowCount` is the number of rows so
    far.
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
        """Describe an export. One that FAILED has its reason, too."""
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
    """An export that FAILED."""

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
        """Describe an export by its order and its outcome."""
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


_CONTROL_CHARACTERS: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
"""Line breaks and other control characters, which a message may repeat from a cell."""


def _error_report(job: ImportJob) -> str:
    """Write a line per fault, at most REPORTED_FAULTS, and a last line with the number of the others."""
    faults = job.faults[:REPORTED_FAULTS]
    lines = [f"Row {fault.row}: {_CONTROL_CHARACTERS.sub(' ', fault.message)}\n" for fault in faults]
    if job.fault_count > len(lines):
        lines.append(f"… and {job.fault_count - len(lines):,} more\n")
    return "".join(lines)
