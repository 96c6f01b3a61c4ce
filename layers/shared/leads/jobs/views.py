"""Present jobs to their organisation, with fresh links to what they stored in the bucket."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from leads.domain.export_job import ExportJob
from leads.domain.import_job import ImportJob
from leads.domain.job_status import JobStatus
from leads.s3.bucket import LINK_SECONDS, Bucket
from leads.s3.keys import export_key


class ImportView(NamedTuple):
    """An import and a link to the report of its rejected rows.

    `report_url` works for LINK_SECONDS. It is None when every row was imported, and once the report has
    expired.
    """

    job: ImportJob
    report_url: str | None


def view_import(job: ImportJob, bucket: Bucket) -> ImportView:
    """Sign a link to the job's report. S3 is not called."""
    url = None
    if job.report_key is not None and bucket.keeps(job.finished_at):
        url = bucket.presigned_download(job.report_key, f"import_{job.id}_not_imported.csv")
    return ImportView(job, url)


class ExportView(NamedTuple):
    """An export and a link to its file.

    `url` works until `expires_at`. Both are None until the export is COMPLETED, and once the file has
    expired.
    """

    job: ExportJob
    url: str | None
    expires_at: datetime | None


def view_export(job: ExportJob, bucket: Bucket) -> ExportView:
    """Sign a link to the export's file. S3 is not called."""
    if job.status is not JobStatus.COMPLETED or not bucket.keeps(job.finished_at):
        return ExportView(job, None, None)
    url = bucket.presigned_download(export_key(job.org_id, job.id, job.filename), job.filename)
    return ExportView(job, url, datetime.now(UTC) + timedelta(seconds=LINK_SECONDS))
