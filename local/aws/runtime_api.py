"""The Lambda Runtime API of one execution environment.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html: the runtime asks for the next invocation,
works, and posts its response or error. One invocation at a time.
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

VERSION = "2018-06-01"

RESPONSE_BYTES = 6 * 1024 * 1024 + 100
"""Lambda's limit for the response of a synchronous invocation."""

_ERROR_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to: the function's JSON, or Lambda's JSON about its failure."""

    payload: bytes
    failed: bool

    @property
    def error_message(self) -> str:
        """What went wrong, in words; empty when nothing did."""
        if not self.failed:
            return ""
        try:
            return str(json.loads(self.payload)["errorMessage"])
        except (ValueError, KeyError, TypeError):
            return self.payload.decode(errors="replace")


def failure(kind: str, message: str) -> Outcome:
    """A failure that Lambda itself tells, such as `Sandbox.Timedout`."""
    return Outcome(json.dumps({"errorType": kind, "errorMessage": message}).encode(), failed=True)


@dataclass(frozen=True)
class Invocation:
    """An event on its way to the runtime; `deadline_ms` is Unix time in milliseconds."""

    request_id: str
    payload: bytes
    function_arn: str
    deadline_ms: int
    trace_id: str
    outcome: Future[Outcome] = field(default_factory=Future)


class RuntimeApi:
    """Listens on a port of its own, by which the runtime is known: the protocol has no other name for it."""

    def __init__(self) -> None:
        """Listen at once."""
        self.settled = threading.Event()
        """Set when the runtime first asked for work, or will never."""
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Invocation | None] = SimpleQueue()
        self._current: Invocation | None = None
        self._ended: Outcome | None = None
        self._server = HttpServer(self._answer)

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.port}"

    @property
    def ended(self) -> bool:
        """Whether nothing can be invoked here any more."""
        return self._ended is not None

    def offer(self, invocation: Invocation) -> None:
        """Hand an invocation to the runtime. Its outcome comes at once when the runtime has ended."""
        with self._lock:
            if self._ended is not None:
                invocation.outcome.set_result(self._ended)
                return
            self._current = invocation
        self._queue.put(invocation)

    def end(self, outcome: Outcome) -> None:
        """The runtime is gone: so end the invocation under way and all later ones. The first reason stays."""
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
        """Wait for the next invocation; None when there will be none."""
        self.settled.set()
        return self._queue.get()

    def finish(self, request_id: str, outcome: Outcome) -> bool:
        """The runtime's answer to an invocation; False when it is not the one under way."""
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
            # The runtime takes our 413 for the end, so no invocation may follow.
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
    return _error(400, "InvalidRequestID", "this invocation is not under way")


def _error(status: int, kind: str, message: str) -> Response:
    body = json.dumps({"errorType": kind, "errorMessage": message})
    return Response(body, status, content_type="application/json")
