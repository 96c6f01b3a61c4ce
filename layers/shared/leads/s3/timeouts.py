"""Bound how long a silent S3 may delay a function, by whether a caller waits for it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, NamedTuple, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError

_Result = TypeVar("_Result")


class S3Timeouts(NamedTuple):
    """Seconds that one try of a call may take to connect and to transfer some bytes, and the tries."""

    connect: int
    read: int
    tries: int

    @property
    def seconds(self) -> int:
        """Return the longest delay of a call by a silent S3.

        botocore pauses for up to 1 s before the second try and 2 s before the third (boto3 guide, "Retries",
        standard mode).
        """
        return self.tries * (self.connect + self.read) + (1 << self.tries - 1) - 1

    def config(self) -> Config:
        """Return these timeouts as botocore's configuration."""
        return Config(
            signature_version="s3v4",
            connect_timeout=self.connect,
            read_timeout=self.read,
            retries={"mode": "standard", "total_max_attempts": self.tries},
        )


BACKGROUND: Final = S3Timeouts(connect=5, read=10, tries=3)
"""For a function without a waiting caller: 48 s. A call of an S3 that connects and then is silent ends after
33 s. Postgres drops a reader that takes no more rows after 35 s (tcp_user_timeout).
"""

INTERACTIVE: Final = S3Timeouts(connect=2, read=5, tries=2)
"""For a function that answers the API within 29 s: 15 s."""


class OutOfTime(BotoCoreError):
    """S3 did not answer before the deadline, so it is unknown whether it did what it was asked for."""

    fmt = "S3 did not answer in time"


def call_until(deadline: float, operation: Callable[[], _Result]) -> _Result:
    """Return the result of an operation, or raise OutOfTime at a deadline of `time.monotonic`.

    The timeouts of botocore bound each of its tries, and each wait within one, but not the whole call. So the
    operation runs in a thread. One that is given up ends by those timeouts, or with the process.
    """
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise OutOfTime
    result: Future[_Result] = Future()

    def run() -> None:
        try:
            result.set_result(operation())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, name="s3", daemon=True).start()
    try:
        return result.result(remaining)
    except TimeoutError:
        raise OutOfTime from None
