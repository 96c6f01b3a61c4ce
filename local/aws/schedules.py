"""Invoke functions by their schedules, as EventBridge does.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html. Here an event waits
until the function has handled the one before it.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from local.aws.runtime_api import Outcome
from local.aws.s3 import ACCOUNT_ID, REGION
from local.template.deployment import Function

_log = logging.getLogger(__name__)


class Schedules:
    """Invoke the functions that have schedules, from `start` until `stop`."""

    def __init__(
        self,
        functions: Iterable[Function],
        invoke: Callable[[str, bytes], Outcome],
        *,
        seconds: float | None = None,
    ) -> None:
        """Replace the template's intervals by `seconds`, for tests that cannot wait for minutes."""
        self._invoke = invoke
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._run, args=(function, seconds or schedule), name="schedule", daemon=True
            )
            for function in functions
            for schedule in function.schedules
        ]

    def start(self) -> None:
        """Start. The first event of a schedule comes after its first interval."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Start no more invocations. Call it before the functions stop."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for running invocations, which fail when the functions stop."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(5)

    def _run(self, function: Function, seconds: float) -> None:
        while not self._stopping.wait(seconds):
            outcome = self._invoke(function.logical_id, scheduled_event(function))
            if outcome.failed and not self._stopping.is_set():
                _log.error("%s failed as scheduled: %s", function.logical_id, outcome.error_message)


def scheduled_event(function: Function) -> bytes:
    """Return the event that EventBridge sends for a rule with a schedule."""
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT_ID,
        "time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT_ID}:rule/{function.name}"],
        "detail": {},
    }
    return json.dumps(event).encode()
