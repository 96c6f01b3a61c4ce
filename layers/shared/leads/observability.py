"""The logger and the metrics of every function; both take the service's name from POWERTOOLS_SERVICE_NAME.

What may be logged: ids, keys, counts, durations, error codes. Never a phone, a name, an email, a note, a
file's name, or the raw text of a database error, which may hold a row.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE: Final = "LeadsIO"
"""Of the metrics; the alarms of template.yaml name it, too."""

logger = Logger()
metrics = Metrics(namespace=NAMESPACE)

__all__ = [
    "MetricUnit",
    "correlation_id",
    "increment",
    "flush_metrics",
    "logger",
    "metrics",
    "bind_job",
    "job_log_context",
    "record_duration",
    "stack_without_message",
]


def increment(metric: str, number: int = 1) -> None:
    """Adds to a metric; docs/operations.md lists them."""
    metrics.add_metric(metric, MetricUnit.Count, number)


def record_duration(metric: str, seconds: float) -> None:
    """Adds a duration to a metric."""
    metrics.add_metric(metric, MetricUnit.Seconds, seconds)


def flush_metrics() -> None:
    """Prints what was counted, if anything was: Powertools warns of nothing."""
    if metrics.metric_set:
        metrics.flush_metrics()


_JOB_KEYS: Final = ("import_job_id", "export_job_id")


def correlation_id() -> str | None:
    """Of the request or event at hand: what it begins keeps this for the lines of later functions."""
    return logger.get_correlation_id()


def bind_job(table: str, id: int, begun_by: str | None = None) -> None:
    """Puts a job of this table in every line that follows. A function that goes on with what a request began
    gives that one's correlation id, too, by which the lines of all functions are found together.
    """
    logger.append_keys(**{f"{table}_id": id})
    if begun_by is not None:
        logger.set_correlation_id(begun_by)


@contextmanager
def job_log_context() -> Iterator[None]:
    """Lines after this block name no job that was named in it: one event may be about several."""
    own = correlation_id()
    try:
        yield
    finally:
        logger.remove_keys(_JOB_KEYS)
        logger.set_correlation_id(own)


def stack_without_message(error: BaseException) -> list[str]:
    """The stack of an error without its message, which may hold what must not be logged."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
