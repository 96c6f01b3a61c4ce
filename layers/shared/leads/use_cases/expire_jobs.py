"""End the jobs that nothing else can end.

They are uploads that never came, and jobs whose runs died or never started.

A job that is ended too early loses nothing: an event that comes after all claims the job again and completes
it. The exception is an export that was made while its caller waited, which has no event.
"""

import time
from collections import Counter
from typing import Final, NamedTuple

from leads.domain.failure_code import FailureCode
from leads.domain.job_ref import JobRef
from leads.errors import DatabaseFault, ServiceFault
from leads.jobs.drop_result import log_missing_result, write_drop_result
from leads.jobs.stores import Stores
from leads.observability import bind_job, increment, job_log_context, logger
from leads.postgres.connection import Connection
from leads.postgres.import_jobs import read_import_job
from leads.postgres.overdue_jobs import (
    HeldJob,
    OverdueKind,
    fail_held_job,
    find_overdue_jobs,
    hold_overdue_job,
    is_event_gone,
    is_long_unattended,
)
from leads.s3.bucket import Bucket
from leads.s3.keys import DROP, import_key

MAX_JOBS: Final = 200
"""Jobs of one run. Each takes some answers of Postgres and at most one of S3: a few seconds in all.

The next run is a minute away.
"""

_TIMEOUT_SECONDS: Final = 10.0
"""Time for each answer of Postgres: nothing here waits for a lock or reads much."""


class Expired(NamedTuple):
    """The number of ended jobs by kind, and the number of jobs that a fault kept from being ended."""

    ended: Counter[OverdueKind]
    faults: int


class _Ending(NamedTuple):
    kind: OverdueKind
    code: FailureCode
    reason: str


_NEVER_UPLOADED: Final = _Ending(
    OverdueKind.UPLOAD,
    FailureCode.NOT_UPLOADED,
    "No file was uploaded within the hour. Begin another import and send the file.",
)
_IMPORT: Final = _Ending(
    OverdueKind.IMPORT,
    FailureCode.INTERNAL,
    "An internal error interrupted the import. Nothing of the file was imported; send it again, a large one "
    "in parts.",
)
_EXPORT: Final = _Ending(
    OverdueKind.EXPORT,
    FailureCode.INTERNAL,
    "An internal error interrupted the export. Ask for it again, a large one in parts: narrow it with "
    "startDate and endDate, status or source.",
)
# The code is not INTERNAL, which an event may claim: this export has none.
_DIRECT_EXPORT: Final = _Ending(
    OverdueKind.DIRECT_EXPORT,
    FailureCode.NOT_STORED,
    "An internal error interrupted the export. Ask for it again.",
)


def expire_jobs(stores: Stores, *, seconds: float, max_jobs: int = MAX_JOBS) -> Expired:
    """Look at `max_jobs` overdue jobs and end those without a run. No job is started on after `seconds`.

    Each job is ended in a transaction that holds its row. Of two runs at once one ends it, and an event that
    comes meanwhile waits and is handled afterwards. The sender of a dropped file finds its result.

    Raises DatabaseFault if the jobs cannot be found. A fault with one of them is logged and counted.
    """
    deadline = time.monotonic() + seconds
    ended: Counter[OverdueKind] = Counter()
    faults = 0
    with stores.database.connect(timeout=_TIMEOUT_SECONDS) as connection:
        for job in find_overdue_jobs(connection, max_jobs):
            if time.monotonic() > deadline:
                break
            with job_log_context():
                bind_job(job.table, job.id)
                try:
                    ending = _expire(connection, job, stores.bucket)
                except ServiceFault as fault:
                    faults += 1
                    logger.error("job not expired", fault=str(fault))
                    if isinstance(fault, DatabaseFault) and fault.transient:
                        # The connection may be dead, or the database overloaded.
                        break
                    continue
                if ending is not None:
                    ended[ending.kind] += 1
                    _report(ending)
    return Expired(ended, faults)


def _report(ending: _Ending) -> None:
    imports = (OverdueKind.UPLOAD, OverdueKind.IMPORT)
    increment("ImportsFailed" if ending.kind in imports else "ExportsFailed")
    log = logger.info if ending.code is FailureCode.NOT_UPLOADED else logger.error
    log("job expired", kind=ending.kind, code=ending.code)


def _expire(connection: Connection, job: JobRef, bucket: Bucket) -> _Ending | None:
    """End a job. Return None if it is no longer overdue, or not yet long enough."""
    with connection.transaction(job.org_id) as transaction:
        held = hold_overdue_job(connection, job)
        if held is None:
            return None
        bind_job(job.table, job.id, held.correlation_id)
        ending = _ending(connection, job, held, bucket)
        if ending is not None:
            fail_held_job(connection, job, ending.code, ending.reason)
            if held.object_key is not None and held.object_key.startswith(DROP):
                _notify_sender(connection, job, bucket)
        transaction.commit()
    return ending


@log_missing_result()
def _notify_sender(connection: Connection, job: JobRef, bucket: Bucket) -> None:
    """Write the result before the commit.

    If the commit fails, the next run writes it again. Written after the commit, it could replace the result
    of a run that claims the job next.
    """
    ended = read_import_job(connection, job.org_id, job.id)
    if ended is not None:
        write_drop_result(ended, bucket)


def _ending(connection: Connection, job: JobRef, held: HeldJob, bucket: Bucket) -> _Ending | None:
    if held.kind is OverdueKind.DIRECT_EXPORT:
        return _DIRECT_EXPORT
    if held.kind is OverdueKind.UPLOAD:
        stored_at = bucket.stored_at(import_key(job.org_id, job.id))
        if stored_at is None:
            return _NEVER_UPLOADED
        # The file came. Its event is under way, or every run failed before it could claim the job.
        return _IMPORT if is_event_gone(connection, stored_at) else None
    if not is_long_unattended(connection, job):
        return None
    return _IMPORT if held.kind is OverdueKind.IMPORT else _EXPORT
