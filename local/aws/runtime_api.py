"""Serve the Lambda Runtime API of one execution environment.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html: the runtime asks for the next invocation,
works, and posts its response or error. One invocation runs at a time.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue

from werkzeug import Request, Response
from werkzeug.exceptions import RequestEntityTooLarge

from local.aws.http_server import HttpServer

RESPONSE_BYTES = 6 * 1024 * 1024 + 100
"""Lambda's limit for the response of a synchronous invocation."""

_ERROR_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Outcome:
    """Hold the result of an invocation: the function's JSON, or Lambda's JSON about its failure."""

    payload: bytes
    failed: bool

    @property
    def error_message(self) -> str:
        """Return the message of a failure, or an empty text after a success."""
        if not self.failed:
            return ""
        try:
            return str(json.loads(self.payload)["errorMessage"])
        except (ValueError, KeyError, TypeError):
            return self.payload.decode(errors="replace")


def failure(kind: str, message: str) -> Outcome:
    """Return a failure that Lambda itself reports, such as `Sandbox.Timedout`."""
    return Outcome(json.dumps({"errorType": kind, "errorMessage": message}).encode(), failed=True)


@dataclass(frozen=True)
class Invocation:
    """Hold an event for the runtime. `deadline_ms` is Unix time in milliseconds."""

    request_id: str
    payload: bytes
    function_arn: str
    deadline_ms: int
    trace_id: str
    outcome: Future[Outcome] = field(default_factory=Future)


class RuntimeApi:
    """Exchange invocations and outcomes with one runtime.

    The protocol does not name the runtime, so each one gets a port of its own.
    """

    def __init__(self) -> None:
        """Listen at once."""
        self.settled = threading.Event()
        """Set after the first request for work, or when there will be none."""
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Invocation | None] = SimpleQueue()
        self._current: Invocation | None = None
        self._ended: Outcome | None = None
        self._server = HttpServer(self._answer)

    @property
    def address(self) -> str:
        """Return the value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.port}"

    @property
    def ended(self) -> bool:
        """Return whether the runtime serves no more invocations."""
        return self._ended is not None

    def offer(self, invocation: Invocation) -> None:
        """Pass an invocation to the runtime. If the runtime has ended, that is the outcome."""
        with self._lock:
            if self._ended is not None:
                invocation.outcome.set_result(self._ended)
                return
            self._current = invocation
        self._queue.put(invocation)

    def end(self, outcome: Outcome) -> None:
        """End the running invocation and all later ones with this outcome, or with an earlier call's."""
        with self._lock:
            if self._ended is None:
                self._ended = outcome
            current, self._current = self._current, None
        if current is not None:
            current.outcome.set_result(self._ended)
        self.settled.set()
        self._queue.put(None)

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def next(self) -> Invocation | None:
        """Wait for the next invocation. Return None when there will be none."""
        self.settled.set()
        return self._queue.get()

    def finish(self, request_id: str, outcome: Outcome) -> bool:
        """Set the outcome of an invocation. Return False if that invocation is not running."""
        with self._lock:
            current = self._current
            if current is None or current.request_id != request_id:
                return False
            self._current = None
        current.outcome.set_result(outcome)
        return True

    def _answer(self, request: Request) -> Response:
        match (request.method, *request.path.strip("/").split("/")):
            case ("GET", "2018-06-01", "runtime", "invocation", "next"):
                return self._next()
            case ("POST", "2018-06-01", "runtime", "invocation", request_id, "response"):
                return self._response(request_id, request)
            case ("POST", "2018-06-01", "runtime", "invocation", request_id, "error"):
                outcome = Outcome(_read(request, _ERROR_BYTES), failed=True)
                return _accepted(self.finish(request_id, outcome))
            case ("POST", "2018-06-01", "runtime", "init", "error"):
                self.end(Outcome(_read(request, _ERROR_BYTES), failed=True))
                return _accepted(True)
        return _error(404, "NotFound", f"the Runtime API has no {request.method} {request.path}")

    def _next(self) -> Response:
        invocation = self.next()
        if invocation is None:
            return _error(410, "Ended", "there are no more invocations")
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
        }
        return Response(invocation.payload, 200, headers, content_type="application/json")

    def _response(self, request_id: str, request: Request) -> Response:
        try:
            outcome = Outcome(_read(request, RESPONSE_BYTES), failed=False)
        except RequestEntityTooLarge:
            message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
            # The runtime exits after a 413, so no invocation may follow.
            self.end(failure("Function.ResponseSizeTooLarge", message))
            return _error(413, "RequestEntityTooLarge", message)
        return _accepted(self.finish(request_id, outcome))


def _read(request: Request, limit: int) -> bytes:
    """Return the body. Raise RequestEntityTooLarge if it has more than `limit` bytes."""
    request.max_content_length = limit
    return request.get_data()


def _accepted(known: bool) -> Response:
    if known:
        return Response(b'{"status":"OK"}', 202, content_type="application/json")
    return _error(400, "InvalidRequestID", "this invocation is not running")


def _error(status: int, kind: str, message: str) -> Response:
    body = json.dumps({"errorType": kind, "errorMessage": message})
    return Response(body, status, content_type="application/json")
