"""Takes leads out: streams what a filter selects into a CSV file in S3 and links to it."""

import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from leads.domain.lead_filter import LeadFilter
from leads.domain.principal import Principal
from leads.errors import STATEMENT_TIMEOUT, DatabaseFault, ExportTooLong, ServiceFault
from leads.postgres.connection import Database
from leads.postgres.export import copy_leads
from leads.postgres.export_jobs import NewExportJob, complete_export_job, create_export_job, fail_export_job
from leads.s3.bucket import LINK_SECONDS, Bucket
from leads.s3.keys import export_key
from leads.s3.multipart_writer import MultipartWriter

EXPORT_SECONDS: Final = 20.0
"""How long an export may stream before its caller gets an answer (our API; the gateway gives up after 30
s).
"""


_TOO_LONG: Final = (
    "The export takes longer than one answer may. Narrow it with startDate and endDate, status or source."
)


@dataclass(frozen=True, slots=True)
class ExportedLeads:
    """A finished export and a link to it."""

    id: int
    filename: str
    url: str
    row_count: int
    size_bytes: int
    expires_at: datetime


def export_leads(
    principal: Principal,
    leads: LeadFilter,
    columns: tuple[str, ...],
    *,
    database: Database,
    bucket: Bucket,
    now: datetime,
    seconds: float = EXPORT_SECONDS,
) -> ExportedLeads:
    """Records the export, streams it to S3 and gives a link to it. No lead is a file with a header line.

    Raises ExportTooLong after `seconds`, ServiceFault; then the export is FAILED and nothing of it is in the
    bucket.
    """
    filename = f"leads_export_{now:%Y%m%d_%H%M%S}.csv"
    new = NewExportJob(principal.org_id, filename, leads, columns, created_by=principal.user)
    with database.connect() as connection:
        id = create_export_job(connection, new)
    key = export_key(principal.org_id, id, filename)
    try:
        row_count, size = _stream(new, id, key, database, bucket, seconds)
    except Exception as error:
        _undo(new, id, key, error, database, bucket)
        if isinstance(error, DatabaseFault) and error.sqlstate == STATEMENT_TIMEOUT:
            raise ExportTooLong(_TOO_LONG) from error
        raise
    url = bucket.presigned_download(key, filename)
    expires_at = datetime.now(UTC) + timedelta(seconds=LINK_SECONDS)
    return ExportedLeads(id, filename, url, row_count, size, expires_at)


def _stream(
    new: NewExportJob, id: int, key: str, database: Database, bucket: Bucket, seconds: float
) -> tuple[int, int]:
    """Rows and bytes written. The file appears and the record is COMPLETED in one transaction, or neither."""
    with (
        MultipartWriter(bucket, key, "text/csv; charset=utf-8") as writer,
        database.connect() as connection,
        connection.transaction(new.org_id) as transaction,
    ):
        # The sink looks at the clock when a row comes; this ends a statement that gives none.
        limit = str(max(1, int(seconds * 1000)))
        connection.rows("SELECT set_config('statement_timeout', :limit, true)", limit=limit)
        row_count = copy_leads(connection, new.org_id, new.leads, new.columns, _Hurried(writer, seconds))
        complete_export_job(connection, new.org_id, id, row_count=row_count, size_bytes=writer.size)
        writer.close()
        transaction.commit()
    return row_count, writer.size


def _undo(new: NewExportJob, id: int, key: str, error: Exception, database: Database, bucket: Bucket) -> None:
    """Records the failure, and takes away a file that appeared before it. What fails here must not hide the
    fault.
    """
    with suppress(ServiceFault):
        bucket.delete(key)
    reason = str(error) if isinstance(error, ServiceFault) else type(error).__name__
    with suppress(DatabaseFault), database.connect() as connection:
        fail_export_job(connection, new.org_id, id, reason)


class _Hurried:
    """A sink that gives up when its time is over."""

    def __init__(self, writer: MultipartWriter, seconds: float) -> None:
        self._writer = writer
        self._deadline = time.monotonic() + seconds

    def write(self, data: bytes, /) -> None:
        if time.monotonic() > self._deadline:
            raise ExportTooLong(_TOO_LONG)
        self._writer.write(data)
