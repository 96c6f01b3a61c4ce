"""Imports the files that S3 announces: uploads under imports/, partners' files under drop/."""

from leads.cold_start import started

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.errors import LeadsError, ServiceFault
from leads.jobs.outcome import IGNORED, ImportOutcome
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
from leads.use_cases.process_import import process_import

RESERVED_SECONDS = 160.0
"""Reserved for closing or aborting the report and for recording the outcome.

S3 may stall for 48 s (BACKGROUND of s3/bucket.py) with each of two parts and for another 48 s with their end.
"""

database = Database(DatabaseSettings.from_environment(), "process_import")
bucket = Bucket.from_settings(BucketSettings.from_environment())


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Entry point of the Lambda; an S3 event. Raises ServiceFault for Lambda to deliver the event again."""
    # The same at each delivery of an event.
    logger.set_correlation_id(context.aws_request_id)
    files = stored_files(event)
    if not files:
        logger.warning("event without files", keys=sorted(event)[:10] if isinstance(event, dict) else [])
    failed = []
    for file in files:
        with job_log_context():
            if not _process(file, context):
                failed.append(file)
    if failed:
        # Lambda logs what is raised, so it must hold nothing of the file.
        raise ServiceFault(f"{len(failed)} of {len(files)} files failed: deliver the event again")


def _process(file: StoredFile, context: LambdaContext) -> bool:
    """Whether the file needs no other delivery. One that fails must not keep the others of its event
    waiting.
    """
    began = time.monotonic()
    logger.append_keys(version=file.version)
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
    try:
        outcome = process_import(file, database=database, bucket=bucket, seconds=seconds)
    except Exception as error:
        fault = str(error) if isinstance(error, LeadsError) else type(error).__name__
        logger.error("import failed", fault=fault, stack=stack_without_message(error))
        increment("ImportFaults")
        return False
    else:
        _report(outcome, time.monotonic() - began)
        return not outcome.sender_not_notified
    finally:
        flush_metrics()


def _report(outcome: ImportOutcome, seconds: float) -> None:
    log = logger.info if outcome.fault is None else logger.error
    log(
        "import ended",
        outcome=outcome.ended,
        success=outcome.counts.success,
        error=outcome.counts.error,
        skipped=outcome.counts.skipped,
        seconds=round(seconds, 3),
        fault=outcome.fault,
    )
    if outcome.fault is not None or outcome.sender_not_notified:
        increment("ImportFaults")
    if outcome.job_id is not None and outcome.ended != IGNORED:
        record_duration("ImportSeconds", seconds)


started()
