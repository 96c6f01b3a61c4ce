"""Log and measure: the logger and the metrics of every function.

Both take the service's name from POWERTOOLS_SERVICE_NAME. Ids, keys, counts, durations and error codes may be
logged. A phone, a name, an email, a note, a file's name and the text of a database error, which may hold a
row, must not be.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE: Final = "LeadsIO"
"""The namespace of the metrics. The alarms of template.yaml name it, too."""

logger = Logger()
metrics = Metrics(namespace=NAMESPACE)

__all__ = [
    "MetricUnit",
    "bind_job",
    "correlation_id",
    "flush_metrics",
    "increment",
    "job_log_context",
    "logger",
    "metrics",
    "record_duration",
    "stack_without_message",
]

_JOB_KEYS: Final = ("import_job_id", "export_job_id")


def increment(metric: str, number: int = 1) -> None:
    """Add to a metric. docs/operations.md lists the metrics."""
    metrics.add_metric(metric, MetricUnit.Count, number)


def record_duration(metric: str, seconds: float) -> None:
    """Add a duration to a metric."""
    metrics.add_metric(metric, MetricUnit.Seconds, seconds)


def flush_metrics() -> None:
    """Print the metrics that were added, if any: Powertools warns if there are none."""
    if metrics.metric_set:
        metrics.flush_metrics()


def correlation_id() -> str | None:
    """Return the correlation id of the current request or event.

    A job records it, so that the lines of later functions carry the same id.
    """
    return logger.get_correlation_id()


def bind_job(table: str, id: int, correlation_id: str | None = None) -> None:
    """Add a job of this table to every log line that follows.

    With the job's correlation id, the lines of all functions that work for one request can be found together.
    """
    logger.append_keys(**{f"{table}_id": id})
    if correlation_id is not None:
        logger.set_correlation_id(correlation_id)


@contextmanager
def job_log_context() -> Iterator[None]:
    """Remove the job from the log lines after this block: one event may be about several jobs."""
    own = correlation_id()
    try:
        yield
    finally:
        logger.remove_keys(_JOB_KEYS)
        logger.set_correlation_id(own)


def stack_without_message(error: BaseException) -> list[str]:
    """Return the stack of an error without its message, which may hold personal data."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
