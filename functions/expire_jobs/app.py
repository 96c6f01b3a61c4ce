"""End the jobs that nothing else can end. A schedule invokes it every minute; the event is ignored."""

from leads.cold_start import started

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.errors import ServiceFault, safe_text
from leads.jobs.stores import Stores
from leads.observability import flush_metrics, increment, logger, metrics, stack_without_message
from leads.postgres.connection import Database
from leads.postgres.overdue_jobs import OverdueKind
from leads.s3.bucket import Bucket
from leads.settings import BucketSettings, DatabaseSettings
from leads.use_cases.expire_jobs import expire_jobs

RESERVED_SECONDS = 60.0
"""Reserved for the job that is started last: S3 may stall for 48 s, and Postgres for 10."""

database = Database(DatabaseSettings.from_environment(), "expire_jobs")
bucket = Bucket.from_settings(BucketSettings.from_environment())


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Return the number of jobs that were ended, by kind.

    Raises ServiceFault if a fault kept some from being ended. It is for the alarm, not for a retry: the next
    run looks at them in a minute.
    """
    logger.set_correlation_id(context.aws_request_id)
    seconds = context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
    try:
        expired = expire_jobs(Stores(database, bucket), seconds=seconds)
    except Exception as error:
        logger.error("expiry failed", fault=safe_text(error), stack=stack_without_message(error))
        # Lambda logs what is raised, so it must hold nothing of the data.
        raise ServiceFault("no jobs could be expired") from None
    finally:
        # Before the metrics of a kind, which have a dimension that these do not have.
        flush_metrics()
    counts = {str(kind): number for kind, number in expired.ended.items()}
    _report(counts, expired.faults)
    if expired.faults:
        raise ServiceFault(f"{expired.faults} jobs could not be expired")
    return counts


def _report(counts: dict[str, int], faults: int) -> None:
    logger.info("jobs expired", expired=counts, faults=faults)
    # An upload that never came is its sender's concern. All others had a run that died, or a lost event.
    if broken_off := sum(number for kind, number in counts.items() if kind != OverdueKind.UPLOAD):
        increment("JobsBrokenOff", broken_off)
        flush_metrics()
    for kind, number in counts.items():
        metrics.add_dimension("kind", kind)
        increment("JobsExpired", number)
        flush_metrics()


started()
