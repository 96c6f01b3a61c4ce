"""An S3 client for a function whose caller waits: no call of it outlives the time that there is."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from botocore.exceptions import BotoCoreError


class OutOfTime(BotoCoreError):
    """S3 did not answer as long as there was time; whether it did what it was asked for is not known."""

    fmt = "S3 did not answer in time"


class TimelyClient:
    """Asks S3 in threads, and waits for them until a deadline of `time.monotonic`.

    botocore's limits are for each of its tries and for each wait within one, so they say little of the whole.
    A call that is given up ends by them, or with its process.
    """

    def __init__(self, client: Any, deadline: float) -> None:
        self._client = client
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._client, name)
        # To sign a link asks nothing of S3.
        if name.startswith("generate_presigned_") or not callable(asked):
            return asked
        return lambda *args, **arguments: self._ask(lambda: asked(*args, **arguments))

    def _ask(self, ask: Callable[[], Any]) -> Any:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime
        answer: Future[Any] = Future()

        def run() -> None:
            try:
                answer.set_result(ask())
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=run, name="s3", daemon=True).start()
        try:
            return answer.result(left)
        except TimeoutError:
            raise OutOfTime from None
