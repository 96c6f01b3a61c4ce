"""Return an organisation's imports."""

from leads.domain.job_page import JobPage
from leads.domain.principal import Principal
from leads.errors import NotFound
from leads.jobs.stores import Stores
from leads.jobs.views import ImportView, view_import
from leads.postgres.connection import ANSWER_TIMEOUT_SECONDS
from leads.postgres.import_jobs import get_import_job, list_import_jobs


def get_import(principal: Principal, id: int, stores: Stores) -> ImportView:
    """Return one import of the caller's organisation.

    Raises:
        NotFound: The organisation has no such import.
        DatabaseFault: Postgres failed.
    """
    with stores.database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        job = get_import_job(connection, principal.org_id, id)
    if job is None:
        raise NotFound(f"There is no import {id}.")
    return view_import(job, stores.bucket)


def list_imports(principal: Principal, page: JobPage, stores: Stores) -> tuple[list[ImportView], int | None]:
    """Return a page of imports, and the `before` of the next page if there is one. Raises DatabaseFault."""
    with stores.database.connect(timeout=ANSWER_TIMEOUT_SECONDS) as connection:
        jobs, next_before = page.cut(list_import_jobs(connection, principal.org_id, page.with_one_more()))
    return [view_import(job, stores.bucket) for job in jobs], next_before
