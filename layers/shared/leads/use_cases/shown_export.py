"""An export as it is shown to its organisation: with a fresh link to its file."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from leads.domain.export_job import ExportJob
from leads.domain.job_status import JobStatus
from leads.s3.bucket import LINK_SECONDS, Bucket
from leads.s3.keys import export_key


class ShownExport(NamedTuple):
    """`url` links to the file until `expires_at`; both are None until the export is COMPLETED, and
    when the file has expired.
    """

    job: ExportJob
    url: str | None
    expires_at: datetime | None


def show_export(job: ExportJob, bucket: Bucket) -> ShownExport:
    """Signs a link, which asks nothing of S3."""
    if job.status is not JobStatus.COMPLETED or not bucket.keeps(job.finished_at):
        return ShownExport(job, None, None)
    url = bucket.presigned_download(export_key(job.org_id, job.id, job.filename), job.filename)
    return ShownExport(job, url, datetime.now(UTC) + timedelta(seconds=LINK_SECONDS))
