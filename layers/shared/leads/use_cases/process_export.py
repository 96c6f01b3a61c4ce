"""Make the file of an export that takes longer than one answer may.

Exports are claimed as imports are. When the event is delivered again, the export has ended or another run is
at work on it, and nothing happens.
"""

from contextlib import closing
from typing import Final, NamedTuple

from leads.domain.export_job import ExportJob
from leads.domain.failure_code import FailureCode
from leads.domain.job_ref import JobRef, export_ref
from leads.errors import DatabaseFault, ExportTooLong
from leads.jobs.delivery import Delivery, JobKind
from leads.jobs.outcome import COMPLETED, IGNORED, ExportOutcome, count_export
from leads.jobs.progress import Progress
from leads.jobs.stores import Stores
from leads.observability import bind_job
from leads.postgres.connection import Connection
from leads.postgres.export_jobs import (
    claim_export_job,
    fail_export_job,
    get_export_job,
    record_export_progress,
)
from leads.s3.events import StoredFile
from leads.s3.keys import parse_export_request_key
from leads.use_cases.export_file import INTERNAL_FAULT, export_file

_TOO_LONG: Final = (
    "The export takes longer than the service allows. Ask for a part of it: narrow it with startDate and "
    "endDate, status or source."
)


def process_export(request: StoredFile, stores: Stores, *, seconds: float) -> ExportOutcome:
    """Make an export's file within `seconds`.

    The event is ignored if its job has ended, is missing, or is another run's.

    A fault that the database would only repeat, or too little time, ends the job as FAILED. Any other fault
    is raised for Lambda to retry, one of the database after a second try in this run. At the last attempt it
    ends the job as FAILED, too.

    Raises ServiceFault.
    """
    key = parse_export_request_key(request.key)
    if key is None:
        outcome = ExportOutcome(job_id=None, ended=IGNORED)
    else:
        delivery = _ExportDelivery(request, export_ref(key.org_id, key.job_id), stores, seconds)
        outcome = delivery.handle()
        if outcome.ended == IGNORED:
            delivery.bind_ignored_job()
    count_export(outcome)
    return outcome


class _ClaimedExport(NamedTuple):
    """An export that this run, and no other, works on."""

    attempts: int


_KIND: Final = JobKind(
    noun="export",
    retries_metric="ExportRetries",
    failures_metric="ExportsFailed",
    outcome=ExportOutcome,
    get=get_export_job,
    fail=fail_export_job,
)


class _ExportDelivery(Delivery[_ClaimedExport, ExportOutcome]):
    """One delivery of the event of an export's request."""

    def __init__(self, request: StoredFile, job: JobRef, stores: Stores, seconds: float) -> None:
        super().__init__(_KIND, job, stores, seconds)
        self._request = request

    def _claim(self, connection: Connection, job: JobRef, *, again: bool) -> _ClaimedExport | None:
        attempts = claim_export_job(connection, job, request_version=self._request.version, again=again)
        return _ClaimedExport(attempts) if attempts is not None else None

    def _work(self, connection: Connection, job: JobRef, claimed: _ClaimedExport) -> ExportOutcome:
        found = get_export_job(connection, job.org_id, job.id)
        if found is None:
            return self._ignored(job)
        bind_job(job.table, job.id, found.correlation_id)
        return self._export(connection, found)

    def _export(self, connection: Connection, job: ExportJob) -> ExportOutcome:
        def record(another: Connection, rows: int) -> None:
            record_export_progress(another, job.org_id, job.id, rows)

        try:
            with closing(Progress(self._stores.database, record)) as progress:
                done = export_file(
                    connection, job, self._stores, seconds=self._remaining(), progress=progress
                )
        except ExportTooLong:
            if self._tries > 1:
                # The first try had its time, so the next delivery starts afresh.
                raise
            return self._failed(
                connection, job, ExportOutcome(job_id=job.id, ended=FailureCode.EXPORT_TOO_LONG)
            )
        except DatabaseFault as fault:
            if fault.transient:
                raise
            rejected = ExportOutcome(job_id=job.id, ended=FailureCode.REJECTED_BY_DATABASE, fault=str(fault))
            return self._failed(connection, job, rejected)
        return ExportOutcome(
            job_id=job.id, ended=COMPLETED, row_count=done.row_count, size_bytes=done.size_bytes
        )

    def _failed(self, connection: Connection, job: ExportJob, outcome: ExportOutcome) -> ExportOutcome:
        """End the job on another connection: a COPY that was given up closed this one, and its lock."""
        connection.close()
        code = FailureCode(outcome.ended)
        reason = _TOO_LONG if code is FailureCode.EXPORT_TOO_LONG else INTERNAL_FAULT
        self._end_job(export_ref(job.org_id, job.id), code, reason)
        return outcome

    def _final_failure(self, error: Exception) -> tuple[FailureCode, str]:
        return FailureCode.INTERNAL, INTERNAL_FAULT
