"""Ends the jobs that nobody else can end: uploads that never came, jobs whose runs died or never began.

What it ends too early is no loss: an event that comes after all claims the job again and completes it, but
for an export that was being made while its caller waited, of which there is none.
"""

import time
from collections import Counter
from typing import Final, NamedTuple

from leads.domain.failure_code import FailureCode
from leads.errors import DatabaseFault, ServiceFault
from leads.jobs.drop_result import leave_drop_result, log_missing_result
from leads.observability import bind_job, increment, job_log_context, logger
from leads.postgres.connection import Connection, Database
from leads.postgres.import_jobs import read_import_job
from leads.postgres.overdue_jobs import (
    HeldJob,
    OverdueJob,
    OverdueKind,
    fail_held_job,
    find_overdue_jobs,
    hold_overdue_job,
    is_event_gone,
    is_long_unattended,
)
from leads.s3.bucket import Bucket
from leads.s3.keys import DROP, import_key

MOST: Final = 200
"""Jobs that are looked at in one run, each for some answers of Postgres and at most one of S3: a few seconds.
The next run is a minute away.
"""

_TIMEOUT_SECONDS: Final = 10.0
"""Seconds that Postgres may take to answer: nothing here waits for a lock or reads much."""


class Expired(NamedTuple):
    """How many jobs of each kind were ended, and how many could not be because of a fault."""

    ended: Counter[OverdueKind]
    faults: int


class _Ending(NamedTuple):
    kind: OverdueKind
    code: FailureCode
    reason: str


_NEVER_UPLOADED: Final = _Ending(
    OverdueKind.UPLOAD,
    FailureCode.NOT_UPLOADED,
    "The file was never uploaded: none came within the hour. Begin another import and send the file.",
)
_IMPORT: Final = _Ending(
    OverdueKind.IMPORT,
    FailureCode.INTERNAL,
    "The import was broken off by a fault on our side. Nothing of the file was imported; send it again, a "
    "large one in parts.",
)
_EXPORT: Final = _Ending(
    OverdueKind.EXPORT,
    FailureCode.INTERNAL,
    "The export was broken off by a fault on our side. Ask for it again, a large one in parts: narrow it "
    "with startDate and endDate, status or source.",
)
# Not INTERNAL, which an event may claim: there is none.
_DIRECT_EXPORT: Final = _Ending(
    OverdueKind.DIRECT_EXPORT,
    FailureCode.NOT_STORED,
    "The export was broken off by a fault on our side. Ask for it again.",
)


def expire_jobs(
    *,
    database: Database,
    bucket: Bucket,
    seconds: float,
    most: int = MOST,
) -> Expired:
    """Looks at `most` overdue jobs and ends those that have no run, beginning with none after `seconds`.

    A job is ended in a transaction of its own, which holds its row: of two runs at once one ends it, and an
    event that comes meanwhile waits and is handled then. The result of a dropped file's
    job is left for its sender.

    Raises DatabaseFault when the jobs cannot be found. A fault with one of them is logged and counted.
    """
    deadline = time.monotonic() + seconds
    ended: Counter[OverdueKind] = Counter()
    faults = 0
    with database.connect(timeout=_TIMEOUT_SECONDS) as connection:
        for job in find_overdue_jobs(connection, most):
            if time.monotonic() > deadline:
                break
            with job_log_context():
                bind_job(job.table, job.id)
                try:
                    ending = _expire(connection, job, bucket)
                except ServiceFault as fault:
                    faults += 1
                    logger.error("job not expired", fault=str(fault))
                    if isinstance(fault, DatabaseFault) and fault.transient:
                        # The connection may be dead, and the database have other worries.
                        break
                    continue
                if ending is not None:
                    ended[ending.kind] += 1
                    if ending.kind in (OverdueKind.UPLOAD, OverdueKind.IMPORT):
                        increment("ImportsFailed")
                    else:
                        increment("ExportsFailed")
                    log = logger.info if ending.code is FailureCode.NOT_UPLOADED else logger.error
                    log("job expired", kind=ending.kind, code=ending.code)
    return Expired(ended, faults)


def _expire(connection: Connection, job: OverdueJob, bucket: Bucket) -> _Ending | None:
    """How the job was ended, or None: it is no longer overdue, or not yet."""
    with connection.transaction(job.org_id) as transaction:
        held = hold_overdue_job(connection, job)
        if held is None:
            return None
        bind_job(job.table, job.id, held.correlation_id)
        ending = _ending(connection, job, held, bucket)
        if ending is not None:
            fail_held_job(connection, job, ending.code, ending.reason)
            if held.object_key is not None and held.object_key.startswith(DROP):
                _tell_sender(connection, job, bucket)
        transaction.commit()
    return ending


@log_missing_result()
def _tell_sender(connection: Connection, job: OverdueJob, bucket: Bucket) -> None:
    """Before the commit: the result is written again if that fails, and never replaces that of a run which
    claims the job next.
    """
    ended = read_import_job(connection, job.org_id, job.id)
    if ended is not None:
        leave_drop_result(ended, bucket)


def _ending(connection: Connection, job: OverdueJob, held: HeldJob, bucket: Bucket) -> _Ending | None:
    if held.kind is OverdueKind.DIRECT_EXPORT:
        return _DIRECT_EXPORT
    if held.kind is OverdueKind.UPLOAD:
        stored_at = bucket.stored_at(import_key(job.org_id, job.id))
        if stored_at is None:
            return _NEVER_UPLOADED
        # It came, and its event is under way, or every run failed before it could claim the job.
        return _IMPORT if is_event_gone(connection, stored_at) else None
    if not is_long_unattended(connection, job):
        return None
    return _IMPORT if held.kind is OverdueKind.IMPORT else _EXPORT
