"""Deliver the bucket's events to the functions, as S3 and Lambda's asynchronous invocation do.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html: an event whose invocation
fails is delivered again, twice by default, and then goes to the dead-letter queue. Events come in any order,
side by side, and sometimes twice.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.runtime_api import Outcome
from local.aws.s3 import S3Emulator
from local.template.deployment import Function

RETRY_SECONDS = (1.0, 2.0)
"""The waits before the retries. Lambda's are minutes, too long for a person at a laptop."""

_POLL_SECONDS = 20

_log = logging.getLogger(__name__)


class Notifications:
    """Invoke the functions whose triggers match the bucket's events, from `start` until `stop`."""

    def __init__(
        self,
        s3: S3Emulator,
        queue_url: str,
        functions: Iterable[Function],
        invoke: Callable[[str, bytes], Outcome],
        *,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        """Wait `retry_seconds` before the retries. A function may have fewer of them."""
        self._s3 = s3
        self._queues = s3.queues
        self._queue_url = queue_url
        self._functions = [function for function in functions if function.triggers]
        self._invoke = invoke
        self._retry_seconds = tuple(retry_seconds)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)

    def start(self) -> None:
        """Start to receive events."""
        self._thread.start()

    def stop(self) -> None:
        """Receive no more events and drop the retries. Call it before S3 and the functions stop."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for the end of the loop, which comes at once when the S3 server ends."""
        if self._thread.ident is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                # moto answers a waiting poll as soon as a message comes.
                answer = self._queues.receive_message(
                    QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=_POLL_SECONDS
                )
            except (BotoCoreError, ClientError):
                if not self._stopping.wait(0.5):
                    _log.exception("cannot read the bucket's events")
                continue
            for message in answer.get("Messages", []):
                for function in self._destinations(json.loads(message["Body"])):
                    arguments = (function, message["Body"].encode())
                    threading.Thread(target=self._deliver, args=arguments, daemon=True).start()
                # A message that stays until its work is done would come again after the visibility timeout.
                # Deleting it loses nothing, because queue, object and process end together.
                self._queues.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])

    def _destinations(self, event: Any) -> list[Function]:
        """Return the functions of this event. One without records (s3:TestEvent) is for all of them."""
        records = event.get("Records") if isinstance(event, dict) else None
        if not records:
            return self._functions
        pairs = [(record["eventName"], unquote_plus(record["s3"]["object"]["key"])) for record in records]
        return [
            function
            for function in self._functions
            if any(trigger.matches(*pair) for trigger in function.triggers for pair in pairs)
        ]

    def _deliver(self, function: Function, event: bytes) -> None:
        outcome = self._invoke(function.logical_id, event)
        for seconds in self._retry_seconds[: function.retries]:
            if not outcome.failed or self._stopping.wait(seconds):
                return
            outcome = self._invoke(function.logical_id, event)
        if outcome.failed and not self._stopping.is_set():
            self._give_up(function, event, outcome)

    def _give_up(self, function: Function, event: bytes, outcome: Outcome) -> None:
        if function.dead_letters is None:
            _log.error(
                "%s failed at the last retry of an event: %s", function.logical_id, outcome.error_message
            )
            return
        attributes = {
            "RequestID": str(uuid.uuid4()),
            "ErrorCode": "200",
            "ErrorMessage": outcome.error_message[:1024] or "unknown",
        }
        self._queues.send_message(
            QueueUrl=self._s3.create_queue(function.dead_letters),
            MessageBody=event.decode(),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )
