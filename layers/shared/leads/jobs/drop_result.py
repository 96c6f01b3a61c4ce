"""What is left for whoever dropped a file and has no API: the details of its job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from leads.domain.import_job import ImportJob
from leads.errors import LeadsError
from leads.jobs.views import ImportView, view_import
from leads.observability import count, logger, where
from leads.s3.bucket import Bucket
from leads.s3.keys import drop_result_key


def leave_drop_result(job: ImportJob, bucket: Bucket, describe: Callable[[ImportView], str]) -> None:
    """Puts what `describe` says of a job that is over where its sender looks for it, instead of what was
    there before. Raises ServiceFault.
    """
    body = describe(view_import(job, bucket)).encode()
    bucket.put(drop_result_key(job.org_id, job.filename, job.id), body, "application/json")


@contextmanager
def told_when_missing() -> Iterator[None]:
    """Logs and counts what keeps a result from being left, and raises it."""
    try:
        yield
    except Exception as error:
        fault = str(error) if isinstance(error, LeadsError) else type(error).__name__
        logger.error("drop result not written", fault=fault, stack=where(error))
        count("DropResultsNotWritten")
        raise
