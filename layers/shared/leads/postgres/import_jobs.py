"""Read and write the table import_job. Every function raises DatabaseFault if Postgres fails."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from leads.domain.failure_code import FailureCode
from leads.domain.import_job import FinishedImport, ImportCounts, ImportJob
from leads.domain.job_page import JobPage
from leads.domain.job_ref import JobRef
from leads.domain.job_status import JobStatus
from leads.domain.merge_strategy import MergeStrategy
from leads.domain.row_error import RowError
from leads.errors import ServiceFault
from leads.postgres.connection import Connection
from leads.postgres.locks import lock_job
from leads.postgres.statements import statement

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class NewImportJob:
    """An import that has no job yet.

    A dropped file's object is known at once, the object of an upload when its job is claimed.
    """

    org_id: str
    filename: str
    merge_strategy: MergeStrategy
    dry_run: bool
    created_by: str
    correlation_id: str | None = None
    object_key: str | None = None
    object_version: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedImportJob:
    """A job that this run, and no other, works on."""

    id: int
    org_id: str
    merge_strategy: MergeStrategy
    dry_run: bool
    created_by: str
    attempts: int
    correlation_id: str | None


def create_import_job(connection: Connection, job: NewImportJob) -> int:
    """Record a job as PENDING and return its id, or the id of the job that its object has already."""
    with connection.transaction(job.org_id) as transaction:
        id = connection.query_value(
            statement("import_job_create"),
            org_id=job.org_id,
            filename=job.filename,
            merge_strategy=job.merge_strategy,
            dry_run=job.dry_run,
            created_by=job.created_by,
            correlation_id=job.correlation_id,
            object_key=job.object_key,
            object_version=job.object_version,
        )
        if id is None:
            id = connection.query_value(
                statement("import_job_find_by_object"),
                org_id=job.org_id,
                object_key=job.object_key,
                object_version=job.object_version,
            )
        transaction.commit()
    return cast(int, id)


def claim_import_job(
    connection: Connection, job: JobRef, *, object_key: str, object_version: str, again: bool = False
) -> ClaimedImportJob | None:
    """Claim a job for one version of one object. Return None if it has ended, or has another object.

    `again` marks the same run's second try, which counts as no further attempt.

    Raises:
        JobLocked: Another run holds the job's lock.
        DatabaseFault: Postgres failed.
    """
    lock_job(connection, job)
    with connection.transaction(job.org_id) as transaction:
        records = connection.query_dicts(
            statement("import_job_claim"),
            id=job.id,
            org_id=job.org_id,
            object_key=object_key,
            object_version=object_version,
            counted=0 if again else 1,
        )
        transaction.commit()
    if not records:
        return None
    (record,) = records
    return ClaimedImportJob(
        id=job.id,
        org_id=job.org_id,
        merge_strategy=MergeStrategy(cast(str, record["merge_strategy"])),
        dry_run=cast(bool, record["dry_run"]),
        created_by=cast(str, record["created_by"]),
        attempts=cast(int, record["attempts"]),
        correlation_id=cast("str | None", record["correlation_id"]),
    )


def complete_import_job(connection: Connection, job: ClaimedImportJob, finished: FinishedImport) -> None:
    """End a job in the transaction under way, so that its result and its leads have one commit.

    Raises ServiceFault if another program has ended the job. Then the transaction must be rolled back.
    """
    counts = finished.counts
    rows = connection.query(
        statement("import_job_complete"),
        id=job.id,
        org_id=job.org_id,
        total=counts.total,
        success=counts.success,
        error=counts.error,
        skipped=counts.skipped,
        faults=_jsonb(finished.faults),
        fault_count=finished.fault_count,
        ignored_columns=_jsonb(finished.ignored_columns),
        report_key=finished.report_key,
    )
    if not rows:
        raise ServiceFault(f"import {job.id} was ended by another program")


def fail_import_job(connection: Connection, org_id: str, id: int, code: FailureCode, reason: str) -> bool:
    """End a job as FAILED in a transaction of its own. Return False if it had ended before."""
    with connection.transaction(org_id) as transaction:
        rows = connection.query(
            statement("import_job_fail"), id=id, org_id=org_id, code=code, reason=_storable(reason)
        )
        transaction.commit()
    return bool(rows)


def record_progress(connection: Connection, org_id: str, id: int, processed: int) -> None:
    """Record the number of rows that a running job has processed."""
    with connection.transaction(org_id) as transaction:
        connection.query(statement("import_job_progress"), id=id, org_id=org_id, processed=processed)
        transaction.commit()


def get_import_job(connection: Connection, org_id: str, id: int) -> ImportJob | None:
    """Return a job of the organisation, or None if there is none."""
    with connection.transaction(org_id):
        return read_import_job(connection, org_id, id)


def read_import_job(connection: Connection, org_id: str, id: int) -> ImportJob | None:
    """Return a job of the organisation, or None, as the transaction under way sees it."""
    records = connection.query_dicts(statement("import_job_get"), id=id, org_id=org_id)
    return _job(records[0]) if records else None


def list_import_jobs(connection: Connection, org_id: str, page: JobPage) -> list[ImportJob]:
    """Return a page of the organisation's jobs, newest first, without their faults."""
    with connection.transaction(org_id):
        records = connection.query_dicts(
            statement("import_job_list"),
            org_id=org_id,
            limit=page.limit,
            before=page.id_bound,
            status=page.status,
        )
    return [_job(record) for record in records]


def _job(record: dict[str, object]) -> ImportJob:
    code = cast("str | None", record["failure_code"])
    faults = cast("list[tuple[int, str | None, str]]", record["faults"])
    return ImportJob(
        id=cast(int, record["id"]),
        org_id=cast(str, record["org_id"]),
        filename=cast(str, record["filename"]),
        merge_strategy=MergeStrategy(cast(str, record["merge_strategy"])),
        dry_run=cast(bool, record["dry_run"]),
        status=JobStatus(cast(str, record["status"])),
        counts=ImportCounts(
            success=cast(int, record["success_count"]),
            error=cast(int, record["error_count"]),
            skipped=cast(int, record["skipped_count"]),
        ),
        processed_rows=cast(int, record["processed_rows"]),
        faults=tuple(RowError(*fault) for fault in faults),
        fault_count=cast(int, record["fault_count"]),
        ignored_columns=tuple(cast("list[str]", record["ignored_columns"])),
        report_key=cast("str | None", record["report_key"]),
        failure_code=FailureCode(code) if code else None,
        failure_reason=cast("str | None", record["failure_reason"]),
        created_at=cast("datetime", record["created_at"]),
        created_by=cast(str, record["created_by"]),
        started_at=cast("datetime | None", record["started_at"]),
        finished_at=cast("datetime | None", record["finished_at"]),
        correlation_id=cast("str | None", record["correlation_id"]),
        attempts=cast(int, record["attempts"]),
    )


_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""A NUL as JSON writes it, which jsonb refuses. After an escaped backslash, `u0000` is plain text."""


def _jsonb(values: Iterable[object]) -> str:
    return _NUL.sub(r"\1\\ufffd", json.dumps(list(values), ensure_ascii=False))


def _storable(text: str) -> str:
    """Replace NULs, which a text of Postgres cannot hold: a reason may repeat a header that has one."""
    return text.replace("\x00", "\ufffd")
