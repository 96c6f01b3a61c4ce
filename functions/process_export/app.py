"""Makes the files of exports that S3 announces under export-requests/: the ones that no answer waits for."""

from leads.cold_start import started

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.errors import LeadsError, ServiceFault
from leads.jobs.outcome import COMPLETED, IGNORED, ExportOutcome
from leads.observability import (
    flush_metrics,
    increment,
    job_log_context,
    logger,
    record_duration,
    stack_without_message,
)
from leads.postgres.connection import Database
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile, stored_files
from leads.settings import BucketSettings, DatabaseSettings
from leads.use_cases.process_export import process_export

RESERVED_SECONDS = 160.0
"""Reserved for aborting the upload and for recording the outcome.

S3 may stall for 48 s (BACKGROUND of s3/bucket.py) with each of two parts and for another 48 s with their end.
"""

database = Database(DatabaseSettings.from_environment(), "process_export")
bucket = Bucket.from_settings(BucketSettings.from_environment())


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Entry point of the Lambda; an S3 event. Raises ServiceFault for Lambda to deliver the event again."""
    # The same at each delivery of an event.
    logger.set_correlation_id(context.aws_request_id)
    requests = stored_files(event)
    if not requests:
        logger.warning("event without files", keys=sorted(event)[:10] if isinstance(event, dict) else [])
    failed = []
    for request in requests:
        with job_log_context():
            if not _process(request, context):
                failed.append(request)
    if failed:
        # Lambda logs what is raised, so it must hold nothing of the data.
        raise ServiceFault(f"{len(failed)} of {len(requests)} exports failed: deliver the event again")


def _process(request: StoredFile, context: LambdaContext) -> bool:
    """Whether the request needs no other delivery."""
    began = time.monotonic()
    logger.append_keys(version=request.version)
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
    try:
        outcome = process_export(request, database=database, bucket=bucket, seconds=seconds)
    except Exception as error:
        fault = str(error) if isinstance(error, LeadsError) else type(error).__name__
        logger.error("export failed", fault=fault, stack=stack_without_message(error))
        increment("ExportFaults")
        return False
    else:
        _report(request, outcome, time.monotonic() - began)
        return True
    finally:
        flush_metrics()


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
        logger.warning("no request of ours", key=request.key)
        increment("ForeignKeys")
    elif outcome.ended == IGNORED:
        increment("EventsIgnored")
    else:
        record_duration("ExportSeconds", seconds)
    if outcome.ended == COMPLETED:
        increment("ExportsCompleted")
        increment("RowsExported", outcome.row_count)


started()
