"""A job as it is shown to its organisation: with a fresh link to its report."""

from typing import NamedTuple

from leads.domain.import_job import ImportJob
from leads.s3.bucket import Bucket


class ShownImport(NamedTuple):
    """`report_url` links for LINK_SECONDS to the rows that were not imported; None when there are none, or
    when they have expired.
    """

    job: ImportJob
    report_url: str | None


def show_import(job: ImportJob, bucket: Bucket) -> ShownImport:
    """Signs a link, which asks nothing of S3."""
    url = None
    if job.report_key is not None and bucket.keeps(job.finished_at):
        url = bucket.presigned_download(job.report_key, f"import_{job.id}_not_imported.csv")
    return ShownImport(job, url)
