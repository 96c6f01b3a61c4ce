"""Shows an organisation its imports."""

from leads.domain.job_status import JobStatus
from leads.domain.principal import Principal
from leads.errors import NotFound
from leads.jobs.views import ImportView, view_import
from leads.postgres.connection import ANSWER_TIMEOUT_SECONDS, Database
from leads.postgres.import_jobs import get_import_job, list_import_jobs
from leads.s3.bucket import Bucket


def get_import(principal: Principal, id: int, *, database: Database, bucket: Bucket) -> ImportView:
    """One job. Raises NotFound, for another organisation's job too, and DatabaseFault."""
    with database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        job = get_import_job(connection, principal.org_id, id)
    if job is None:
        raise NotFound(f"There is no import {id}.")
    return view_import(job, bucket)


def list_imports(
    principal: Principal,
    *,
    database: Database,
    bucket: Bucket,
    limit: int,
    before: int | None,
    status: JobStatus | None,
) -> tuple[list[ImportView], int | None]:
    """At most `limit` jobs, newest first, with ids below `before`; and the `before` of the next page if there
    is one.

    Raises DatabaseFault.
    """
    with database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        jobs = list_import_jobs(connection, principal.org_id, limit=limit + 1, before=before, status=status)
    page = jobs[:limit]
    return [view_import(job, bucket) for job in page], page[-1].id if len(jobs) > limit else None
