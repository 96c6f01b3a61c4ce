"""Process the files of one S3 event, each by itself."""

from collections.abc import Callable
from typing import NamedTuple

from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.errors import ServiceFault, safe_text
from leads.observability import (
    flush_metrics,
    increment,
    job_log_context,
    logger,
    stack_without_message,
)
from leads.s3.events import StoredFile, stored_files


class EventWords(NamedTuple):
    """The words for what a function makes of a file."""

    noun: str
    """`import` or `export`, for the log."""
    faults_metric: str


def process_each_file(
    event: object, context: LambdaContext, words: EventWords, process: Callable[[StoredFile], bool]
) -> None:
    """Call `process` for each file of the event. It returns False for a file that must be delivered again.

    A file that fails delays no other. Raises ServiceFault if any failed: then Lambda delivers the event
    again.
    """
    # The same at each delivery of an event.
    logger.set_correlation_id(context.aws_request_id)
    files = stored_files(event)
    if not files:
        logger.warning("event without files", keys=sorted(event)[:10] if isinstance(event, dict) else [])
    failed = 0
    for file in files:
        with job_log_context():
            logger.append_keys(version=file.version)
            try:
                done = process(file)
            except Exception as error:
                logger.error(
                    f"{words.noun} failed", fault=safe_text(error), stack=stack_without_message(error)
                )
                increment(words.faults_metric)
                done = False
            finally:
                flush_metrics()
        failed += not done
    if failed:
        # Lambda logs what is raised, so it must hold nothing of the data.
        raise ServiceFault(f"{failed} of {len(files)} {words.noun}s failed: deliver the event again")
