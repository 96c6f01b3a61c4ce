"""The job of a file that S3 announces."""

from typing import Final, NamedTuple

from leads.observability import correlation_id
from leads.postgres.connection import Connection
from leads.postgres.import_jobs import NewImportJob, create_import_job
from leads.s3.events import StoredFile
from leads.s3.keys import DROP, parse_drop_key, parse_upload_key

DROP_USER: Final = "drop-folder"
"""Who created the leads of a dropped file: S3 does not say whose key put it there."""


class AnnouncedJob(NamedTuple):
    """Which job it is, of whom."""

    org_id: str
    job_id: int
    problem: str | None
    """Why the file cannot be imported, whatever it holds."""


def announced_job(connection: Connection, file: StoredFile) -> AnnouncedJob | None:
    """The file's job; a dropped file's begins here. None when the key is nobody's. Raises DatabaseFault."""
    if not file.key.startswith(DROP):
        upload = parse_upload_key(file.key)
        return AnnouncedJob(upload.org_id, upload.job_id, None) if upload else None
    drop = parse_drop_key(file.key)
    if drop is None:
        return None
    new = NewImportJob(
        drop.org_id,
        drop.filename,
        drop.merge_strategy,
        dry_run=False,
        created_by=DROP_USER,
        correlation_id=correlation_id(),
        object_key=file.key,
        object_version=file.version,
    )
    return AnnouncedJob(drop.org_id, create_import_job(connection, new), drop.problem)
