"""Store a file of leads and wait for its import, or prepare an upload. No lead is written here."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from leads.domain.failure_code import FailureCode
from leads.domain.import_job import ImportJob, ImportOrder, ImportRequest, Upload
from leads.domain.job_status import JobStatus
from leads.domain.principal import Principal
from leads.errors import DatabaseFault, ServiceFault
from leads.jobs.stores import Stores
from leads.jobs.views import ImportView, view_import
from leads.observability import bind_job, correlation_id, increment
from leads.postgres.connection import ANSWER_TIMEOUT_SECONDS, Connection, Database
from leads.postgres.idempotency import create_keyed_import_job, restart_import_job
from leads.postgres.import_jobs import NewImportJob, create_import_job, fail_import_job, get_import_job
from leads.s3.bucket import UPLOAD_SECONDS
from leads.s3.keys import import_key

_INITIAL_POLL_SECONDS: Final = 0.05
"""First pause between two polls. A small file is imported in not much more."""

_POLL_TIMEOUT_SECONDS: Final = 3.0
"""Time for one poll. The function reserves as much for the last one."""

_POLL_SHARE: Final = 0.1
"""Pause between two polls as a share of the time waited: an answer is late by a tenth of its wait at most."""

_NOT_STORED: Final = "An internal error occurred while storing the file. Nothing was imported; send it again."


def import_leads(
    principal: Principal, request: ImportRequest, stores: Stores, *, wait: float, seconds: float
) -> ImportView:
    """Store the file, which starts its import, and return the job once it has ended or the time is over.

    It waits `wait` seconds after the file is stored, and `seconds` in all. A request that repeats an earlier
    one's Idempotency-Key returns that one's job.

    Raises:
        KeyReused: The key came before with another request.
        ServiceFault: The job could not be recorded, or the file not stored. A job whose file was not stored
            is FAILED. It stays so even if S3 stored the file and only its reply was lost, until the request
            is repeated.
    """
    deadline = time.monotonic() + seconds
    digest = sha256(request.content).digest() if request.order.key is not None else None
    job, started = _record(principal, request.order, digest, stores.database)
    if job.status is JobStatus.PENDING:
        # A repeated request stores the file, too: the run of the first one may have died before it did. Of
        # two stored objects the job takes one.
        bounded = Stores(stores.database, stores.bucket.within(deadline - time.monotonic()))
        _store(job, request.content, bounded, started=started)
    # S3 may have taken much of the time.
    ended = _wait(job, min(wait, deadline - time.monotonic()), stores.database)
    return view_import(ended, stores.bucket)


def create_upload(principal: Principal, order: ImportOrder, stores: Stores) -> Upload:
    """Record a job whose file the caller will put to S3 itself, within the hour.

    A request that repeats an earlier one's Idempotency-Key returns that one's job, with another hour.

    Raises:
        KeyReused: The key came before with another request.
        ServiceFault: The job could not be recorded.
    """
    job, _ = _record(principal, order, None, stores.database)
    url, fields = stores.bucket.presigned_post(import_key(principal.org_id, job.id))
    return Upload(job.id, url, fields, datetime.now(UTC) + timedelta(seconds=UPLOAD_SECONDS))


def _record(
    principal: Principal, order: ImportOrder, file_digest: bytes | None, database: Database
) -> tuple[ImportJob, bool]:
    """Return the request's job, and True if this request started it, for the first time or again."""
    new = NewImportJob(
        principal.org_id,
        order.filename,
        order.merge_strategy,
        order.dry_run,
        created_by=principal.user,
        correlation_id=correlation_id(),
    )
    with database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        if order.key is None:
            return _job(connection, principal, create_import_job(connection, new)), True
        id, started = create_keyed_import_job(connection, new, order.key, file_digest)
        if not started:
            increment("RequestsRepeated")
        job = _job(connection, principal, id)
        if job.failure_code is not None and job.failure_code.may_be_repeated:
            started = restart_import_job(connection, principal.org_id, id, job.failure_code)
            job = _job(connection, principal, id)
    return job, started


def _job(connection: Connection, principal: Principal, id: int) -> ImportJob:
    bind_job("import_job", id)
    job = get_import_job(connection, principal.org_id, id)
    if job is None:
        raise ServiceFault(f"import {id} is gone")
    return job


def _store(job: ImportJob, content: bytes, stores: Stores, *, started: bool) -> None:
    try:
        stores.bucket.put(import_key(job.org_id, job.id), content, "text/csv")
    except ServiceFault:
        if started:
            with stores.database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
                code, reason = FailureCode.NOT_STORED, _NOT_STORED
                # S3 may have stored the file and lost its reply: then the job runs, or has ended.
                if fail_import_job(connection, job.org_id, job.id, code, reason):
                    increment("ImportsFailed")
        raise


def _wait(job: ImportJob, wait: float, database: Database) -> ImportJob:
    """Poll the job until it ends, or for `wait` seconds.

    No connection is held between polls: many waiting callers would use them up. The file is stored and will
    be imported whatever happens here, so a poll that fails is skipped.
    """
    started_at = time.monotonic()
    while not job.ended and (waited := time.monotonic() - started_at) < wait:
        time.sleep(min(max(_INITIAL_POLL_SECONDS, waited * _POLL_SHARE), wait - waited))
        with suppress(DatabaseFault), database.connect(timeout=_POLL_TIMEOUT_SECONDS) as connection:
            job = get_import_job(connection, job.org_id, job.id) or job
    return job
