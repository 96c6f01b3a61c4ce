"""Import the files that S3 announces: uploads under imports/, partners' files under drop/."""

from leads.cold_start import started

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.jobs.event_files import EventWords, process_each_file
from leads.jobs.outcome import IGNORED, ImportOutcome
from leads.jobs.stores import Stores
from leads.observability import increment, logger, record_duration
from leads.postgres.connection import Database
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.settings import BucketSettings, DatabaseSettings
from leads.use_cases.process_import import process_import

RESERVED_SECONDS = 160.0
"""Reserved for closing or aborting the report and for recording the outcome.

S3 may stall for 48 s (BACKGROUND of s3/timeouts.py) with each of two parts, then for 48 s with their end.
"""

WORDS = EventWords("import", "ImportFaults")

database = Database(DatabaseSettings.from_environment(), "process_import")
bucket = Bucket.from_settings(BucketSettings.from_environment())


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Handle an S3 event. Raises ServiceFault for Lambda to deliver it again."""
    process_each_file(event, context, WORDS, lambda file: _process(file, context))


def _process(file: StoredFile, context: LambdaContext) -> bool:
    """Return False if the file must be delivered again."""
    started_at = time.monotonic()
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
    outcome = process_import(file, Stores(database, bucket), seconds=seconds)
    _report(outcome, time.monotonic() - started_at)
    return not outcome.sender_not_notified


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
