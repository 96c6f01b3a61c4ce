"""Import jobs that are found again by the Idempotency-Key of the request that began them."""

from typing import Final, NamedTuple, cast

from leads.domain.failure_code import FailureCode
from leads.errors import KeyReused
from leads.postgres.connection import Connection
from leads.postgres.import_jobs import NewImportJob
from leads.postgres.statements import statement

KEY_LIVES: Final = "24 hours"
"""After which a key may begin another job (our API)."""

_MAX_FREED_KEYS: Final = 100
"""Old keys that a request takes away: more than it brings, and little beside storing a file."""


class KeyedJob(NamedTuple):
    """The job of a key; `first` says that this request began it."""

    id: int
    first: bool


def create_keyed_import_job(
    connection: Connection, job: NewImportJob, key: str, file_digest: bytes | None
) -> KeyedJob:
    """Records a job as PENDING under the organisation's key, or gives the one that the same request began
    before, within KEY_LIVES. Two at the same instant get one job: the second waits for the first.

    `file_digest` is the SHA-256 of the file, None when it is to be uploaded. Raises KeyReused when the key is
    another request's, DatabaseFault.
    """
    with connection.transaction(job.org_id) as transaction:
        connection.query(statement("import_job_free_key"), org_id=job.org_id, key=key, lives=KEY_LIVES)
        connection.query(
            statement("import_job_free_old_keys"),
            org_id=job.org_id,
            lives=KEY_LIVES,
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
                "This Idempotency-Key came before with another file, filename, mergeStrategy or dryRun, or "
                "for the other route. Take a new key for each import, and the same one to repeat it."
            )
        transaction.commit()
    return KeyedJob(*cast("tuple[int, bool]", rows[0]))


def restart_import_job(connection: Connection, org_id: str, id: int, code: FailureCode) -> bool:
    """Makes a job that FAILED with this code PENDING again, for its file to be stored anew; whether it still
    was so. Raises DatabaseFault.
    """
    with connection.transaction(org_id) as transaction:
        rows = connection.query(statement("import_job_restart"), id=id, org_id=org_id, code=code)
        transaction.commit()
    return bool(rows)
