"""Takes a file of leads in: stores it and waits for its import, or prepares an upload. It writes no lead
itself.
"""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from leads.domain.failure_code import FailureCode
from leads.domain.import_job import ImportJob, ImportOrder, Upload
from leads.domain.job_status import JobStatus
from leads.domain.principal import Principal
from leads.errors import DatabaseFault, ServiceFault
from leads.jobs.views import ImportView, view_import
from leads.observability import bind_job, correlation_id, increment
from leads.postgres.connection import ANSWER_TIMEOUT_SECONDS, Connection, Database
from leads.postgres.idempotency import create_keyed_import_job, restart_import_job
from leads.postgres.import_jobs import NewImportJob, create_import_job, fail_import_job, get_import_job
from leads.s3.bucket import UPLOAD_SECONDS, Bucket
from leads.s3.keys import import_key

_INITIAL_POLL_SECONDS: Final = 0.05
"""Seconds: a small file is imported in not much more, and its answer waits for at most one poll."""

_POLL_TIMEOUT_SECONDS: Final = 3.0
"""Seconds that a poll may take, the last one, too: the function keeps them for it."""

_POLL_SHARE: Final = 0.1
"""A job that has run for long is asked after less often: the answer comes at most a tenth of its time
late.
"""

_NOT_STORED: Final = (
    "The file could not be stored because of a fault on our side. Nothing was imported; send it again."
)


def import_leads(
    principal: Principal,
    order: ImportOrder,
    content: bytes,
    *,
    key: str | None,
    wait: float,
    seconds: float,
    database: Database,
    bucket: Bucket,
) -> ImportView:
    """Stores the file, which starts its import, and gives the job as it stands when it ended, or `wait`
    seconds after that are over, or `seconds` in all. Under an Idempotency-Key that the same request had
    before it is that one's job.

    Raises KeyReused, and ServiceFault when the job cannot be recorded, or the file not stored; then the job
    is FAILED, and stays so even if S3 took the file and only its answer was lost, until the request is
    repeated.
    """
    deadline = time.monotonic() + seconds
    digest = sha256(content).digest() if key is not None else None
    job, begun = _record(principal, order, key, digest, database)
    if job.status is JobStatus.PENDING:
        # A repeated request's, too: the run that should have stored it may have died before. Of two stored
        # objects the job takes one.
        _store(job, begun, content, database, bucket.within(deadline - time.monotonic()))
    # S3 may have taken much of the time.
    return view_import(_wait(job, min(wait, deadline - time.monotonic()), database), bucket)


def create_upload(
    principal: Principal, order: ImportOrder, *, key: str | None, database: Database, bucket: Bucket
) -> Upload:
    """Records a job whose file the caller will put to S3 itself, within the hour. Under an Idempotency-Key
    that the same request had before it is that one's job, with another hour. Raises KeyReused, ServiceFault.
    """
    job, _ = _record(principal, order, key, None, database)
    url, fields = bucket.presigned_post(import_key(principal.org_id, job.id))
    return Upload(job.id, url, fields, datetime.now(UTC) + timedelta(seconds=UPLOAD_SECONDS))


def _record(
    principal: Principal, order: ImportOrder, key: str | None, file_digest: bytes | None, database: Database
) -> tuple[ImportJob, bool]:
    """The request's job, and whether this request began it, anew or again."""
    new = NewImportJob(
        principal.org_id,
        order.filename,
        order.merge_strategy,
        order.dry_run,
        created_by=principal.user,
        correlation_id=correlation_id(),
    )
    with database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        if key is None:
            return _job(connection, principal, create_import_job(connection, new)), True
        id, begun = create_keyed_import_job(connection, new, key, file_digest)
        if not begun:
            increment("RequestsRepeated")
        job = _job(connection, principal, id)
        if job.failure_code is not None and job.failure_code.may_be_repeated:
            begun = restart_import_job(connection, principal.org_id, id, job.failure_code)
            job = _job(connection, principal, id)
    return job, begun


def _job(connection: Connection, principal: Principal, id: int) -> ImportJob:
    bind_job("import_job", id)
    job = get_import_job(connection, principal.org_id, id)
    if job is None:
        raise ServiceFault(f"import {id} is gone")
    return job


def _store(job: ImportJob, begun: bool, content: bytes, database: Database, bucket: Bucket) -> None:
    try:
        bucket.put(import_key(job.org_id, job.id), content, "text/csv")
    except ServiceFault:
        if begun:
            with database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
                code, reason = FailureCode.NOT_STORED, _NOT_STORED
                # S3 may have stored it and not said so: then the job may be over, or under way.
                if fail_import_job(connection, job.org_id, job.id, code, reason):
                    increment("ImportsFailed")
        raise


def _wait(job: ImportJob, wait: float, database: Database) -> ImportJob:
    """Polls the job. No connection is held between polls: many waiting callers must not use them up.

    The file is stored and will be imported whatever happens here, so a poll that fails is only one that told
    nothing.
    """
    started = time.monotonic()
    while not job.ended and (waited := time.monotonic() - started) < wait:
        time.sleep(min(max(_INITIAL_POLL_SECONDS, waited * _POLL_SHARE), wait - waited))
        with suppress(DatabaseFault), database.connect(timeout=_POLL_TIMEOUT_SECONDS) as connection:
            job = get_import_job(connection, job.org_id, job.id) or job
    return job
