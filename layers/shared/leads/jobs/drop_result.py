"""Write the result file of a dropped file, whose sender has no API to ask."""

from collections.abc import Iterator
from contextlib import contextmanager

from leads.domain.import_job import ImportJob
from leads.errors import safe_text
from leads.jobs.views import view_import
from leads.observability import increment, logger, stack_without_message
from leads.s3.bucket import Bucket
from leads.s3.keys import drop_result_key


def write_drop_result(job: ImportJob, bucket: Bucket) -> None:
    """Store the details of an ended job, as the API answers them, where the sender looks for them.

    An earlier result of the job is replaced. Raises ServiceFault.
    """
    # Only dropped files need the bodies, which take 8 ms of a cold start to load.
    from leads.jobs.bodies import ImportDetails

    body = ImportDetails.of(view_import(job, bucket)).to_json().encode()
    bucket.put(drop_result_key(job.org_id, job.filename, job.id), body, "application/json")


@contextmanager
def log_missing_result() -> Iterator[None]:
    """Log and count a fault that keeps a result from being written, and raise it."""
    try:
        yield
    except Exception as error:
        logger.error("drop result not written", fault=safe_text(error), stack=stack_without_message(error))
        increment("DropResultsNotWritten")
        raise
