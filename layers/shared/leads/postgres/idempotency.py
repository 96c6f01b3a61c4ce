"""Find an import job again by the Idempotency-Key of the request that created it."""

from typing import Final, NamedTuple, cast

from leads.domain.failure_code import FailureCode
from leads.errors import KeyReused
from leads.postgres.connection import Connection
from leads.postgres.import_jobs import NewImportJob
from leads.postgres.statements import statement

KEY_LIFETIME: Final = "24 hours"
"""Time after which a key may be used for another job, as docs/api.md promises."""

_MAX_FREED_KEYS: Final = 100
"""Old keys that one request frees: more than it adds, and little work beside storing a file."""


class KeyedJob(NamedTuple):
    """The job of a key. `is_new` is True if this request created it."""

    id: int
    is_new: bool


def create_keyed_import_job(
    connection: Connection, job: NewImportJob, key: str, file_digest: bytes | None
) -> KeyedJob:
    """Record a job as PENDING under the organisation's key, or return the job that the key has already.

    A key belongs to its job for KEY_LIFETIME. Of two requests at the same time, the second waits for the
    first and returns the same job. `file_digest` is the SHA-256 of the file, or None if the file will be
    uploaded.

    Raises:
        KeyReused: The key belongs to a different request.
        DatabaseFault: Postgres failed.
    """
    with connection.transaction(job.org_id) as transaction:
        connection.query(statement("import_job_free_key"), org_id=job.org_id, key=key, lifetime=KEY_LIFETIME)
        connection.query(
            statement("import_job_free_old_keys"),
            org_id=job.org_id,
            lifetime=KEY_LIFETIME,
            max_keys=_MAX_FREED_KEYS,
        )
        rows = connection.query(
            statement("import_job_create_keyed"),
            org_id=job.org_id,
            filename=job.filename,
            merge_strategy=job.merge_strategy,
            dry_run=job.dry_run,
            created_by=job.created_by,
            correlation_id=job.correlation_id,
            key=key,
            file_digest=file_digest,
        )
        if not rows:
            raise KeyReused(
                "This Idempotency-Key was used before with another file, filename, mergeStrategy or dryRun, "
                "or for the other route. This request imported nothing. Use a new key for each import, and "
                "the same key only to repeat one."
            )
        transaction.commit()
    return KeyedJob(*cast("tuple[int, bool]", rows[0]))


def restart_import_job(connection: Connection, org_id: str, id: int, code: FailureCode) -> bool:
    """Set a job that FAILED with this code to PENDING, so that its file can be stored again.

    Return False if the job is in another state by then. Raises DatabaseFault.
    """
    with connection.transaction(org_id) as transaction:
        rows = connection.query(statement("import_job_restart"), id=id, org_id=org_id, code=code)
        transaction.commit()
    return bool(rows)
