"""The logger and the metrics of every function; both take the service's name from POWERTOOLS_SERVICE_NAME.

What may be logged: ids, keys, counts, durations, error codes. Never a phone, a name, an email, a note, a
file's name, or the raw text of a database error, which may hold a row.
"""

import traceback
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE: Final = "LeadsIO"
"""Of the metrics; the alarms of template.yaml name it, too."""

logger = Logger()
metrics = Metrics(namespace=NAMESPACE)

__all__ = ["MetricUnit", "logger", "metrics", "where"]


def where(error: BaseException) -> list[str]:
    """The stack of an error without its message, which may hold what must not be logged."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
