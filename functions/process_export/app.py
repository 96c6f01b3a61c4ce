"""Make the files of exports that S3 announces under export-requests/, which no caller waits for."""

from leads.cold_start import started

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.jobs.event_files import EventWords, process_each_file
from leads.jobs.outcome import IGNORED, ExportOutcome
from leads.jobs.stores import Stores
from leads.observability import increment, logger, record_duration
from leads.postgres.connection import Database
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.settings import BucketSettings, DatabaseSettings
from leads.use_cases.process_export import process_export

RESERVED_SECONDS = 160.0
"""Reserved for aborting the upload and for recording the outcome.

S3 may stall for 48 s (BACKGROUND of s3/timeouts.py) with each of two parts, then for 48 s with their end.
"""

WORDS = EventWords("export", "ExportFaults")

database = Database(DatabaseSettings.from_environment(), "process_export")
bucket = Bucket.from_settings(BucketSettings.from_environment())


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Handle an S3 event. Raises ServiceFault for Lambda to deliver it again."""
    process_each_file(event, context, WORDS, lambda request: _process(request, context))


def _process(request: StoredFile, context: LambdaContext) -> bool:
    """Return True: whatever came of the request, it needs no other delivery."""
    started_at = time.monotonic()
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
    outcome = process_export(request, Stores(database, bucket), seconds=seconds)
    _report(request, outcome, time.monotonic() - started_at)
    return True


def _report(request: StoredFile, outcome: ExportOutcome, seconds: float) -> None:
    log = logger.info if outcome.fault is None else logger.error
    log(
        "export ended",
        outcome=outcome.ended,
        rows=outcome.row_count,
        bytes=outcome.size_bytes,
        seconds=round(seconds, 3),
        fault=outcome.fault,
    )
    if outcome.fault is not None:
        increment("ExportFaults")
    if outcome.job_id is None:
        logger.warning("not the key of a request", key=request.key)
    elif outcome.ended != IGNORED:
        record_duration("ExportSeconds", seconds)


started()
