"""Stand in for API Gateway's HTTP API: routes, JWT authorizer and limits.

The gateway's own answers are `{"message": …}` in API Gateway's words. All others come from the functions.
"""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import werkzeug
from werkzeug import Response
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from local.aws.authorizer import JwtAuthorizer, Unauthorized
from local.aws.http_event import Request, build_event, read_response
from local.aws.http_server import HEADERS, HOST, TARGET, HttpServer
from local.aws.runtime_api import Outcome
from local.state import LaptopError
from local.template.deployment import Function, Route

EVENT_BYTES = 6 * 1024 * 1024
"""Lambda's limit for the event of a synchronous invocation."""

BODY_BYTES = 10 * 1000 * 1000
"""API Gateway's limit for a request."""

WAIT_SECONDS = 30.0
"""API Gateway's limit for the duration of a function."""

Invoke = Callable[[str, bytes], Outcome]
AccessLog = Callable[[str], None]


class PortInUse(LaptopError):
    """Report that another program listens on the gateway's port."""


def require_free(port: int) -> None:
    """Raise PortInUse if another program listens on this port, before anything is started."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise PortInUse(
            f"port {port} is in use: stop the program that listens there, or set PORT (0 picks a free port)"
        ) from error


class Gateway:
    """Serve the functions' routes from construction until `close`."""

    def __init__(
        self,
        functions: Iterable[Function],
        authorizer: JwtAuthorizer,
        invoke: Invoke,
        *,
        port: int,
        access_log: AccessLog = lambda line: None,
    ) -> None:
        """Listen on `port`, or on a free one if it is 0. Raise PortInUse."""
        self._authorizer = authorizer
        self._access_log = access_log
        self._invoke = invoke
        self._routes = [(route, function.logical_id) for function in functions for route in function.routes]
        # An invocation goes on after WAIT_SECONDS, so it has a thread of its own.
        self._callers = ThreadPoolExecutor(max_workers=64, thread_name_prefix="gateway")
        require_free(port)
        self._server = HttpServer(self._answer, port)

    @property
    def url(self) -> str:
        """Return the API's URL, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.port}"

    def close(self) -> None:
        """Stop listening. Running requests are answered when their functions end."""
        self._server.close()
        self._callers.shutdown(wait=False, cancel_futures=True)

    def _answer(self, request: werkzeug.Request) -> Response:
        started_at = time.monotonic()
        request_id = str(uuid.uuid4())
        response = self._respond(request, request_id)
        response.headers["apigw-requestid"] = request_id
        milliseconds = (time.monotonic() - started_at) * 1000
        # The line omits the query, which may hold phones. It precedes the answer, so the caller finds it.
        path = request.environ[TARGET].partition("?")[0]
        self._access_log(f"{request.method} {path} {response.status_code} {milliseconds:.0f} ms {request_id}")
        return response

    def _respond(self, request: werkzeug.Request, request_id: str) -> Response:
        try:
            body = _read(request)
        except RequestEntityTooLarge:
            return _message(413, "Request Entity Too Large")
        except BadRequest:
            return _message(400, "Bad Request")
        sent = Request(
            request.method,
            request.environ[TARGET],
            request.environ[HEADERS],
            body,
            request.remote_addr or "",
        )
        found = self._find(sent.method, sent.path)
        if found is None:
            return _message(404, "Not Found")
        route, function, parameters = found
        claims = None
        if route.authorized:
            try:
                claims = self._authorizer.claims(request.headers.get("Authorization"))
            except Unauthorized:
                return _message(401, "Unauthorized", {"www-authenticate": "Bearer"})
        event = build_event(sent, route.key, parameters, claims, request_id)
        payload = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        if len(payload) > EVENT_BYTES:
            return _message(413, "Request Entity Too Large")
        try:
            outcome = self._callers.submit(self._invoke, function, payload).result(WAIT_SECONDS)
        except (TimeoutError, RuntimeError):  # RuntimeError: a gateway that closes accepts no more calls.
            return _message(503, "Service Unavailable")
        try:
            if not outcome.failed:
                return read_response(outcome.payload)
        except ValueError:
            pass
        return _message(500, "Internal Server Error")

    def _find(self, method: str, path: str) -> tuple[Route, str, dict[str, str]] | None:
        """Return the route, its function and the path's parameters. Literal segments win over `{id}`."""
        segments = path.split("/")
        found: tuple[Route, str, dict[str, str]] | None = None
        for route, function in self._routes:
            if route.method != method:
                continue
            parameters = _match(route.path.split("/"), segments)
            if parameters is not None and (found is None or len(parameters) < len(found[2])):
                found = route, function, parameters
        return found


def _match(route: list[str], path: list[str]) -> dict[str, str] | None:
    if len(route) != len(path):
        return None
    parameters = {}
    for expected, actual in zip(route, path, strict=True):
        if expected.startswith("{") and expected.endswith("}") and actual:
            parameters[expected[1:-1]] = unquote(actual, errors="replace")
        elif expected != actual:
            return None
    return parameters


def _read(request: werkzeug.Request) -> bytes:
    """Return the body.

    Raises:
        BadRequest: The request breaks HTTP's own rules, or its client is gone.
        RequestEntityTooLarge: The body exceeds BODY_BYTES.
    """
    # werkzeug takes a length that is not a number for 0, and ignores a second transfer coding.
    coding = request.headers.get("Transfer-Encoding", "chunked").lower()
    if coding != "chunked" or not request.headers.get("Content-Length", "0").strip().isdecimal():
        raise BadRequest
    request.max_content_length = BODY_BYTES
    return request.get_data()


def _message(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps({"message": message}, separators=(",", ":"))
    return Response(body, status, headers, content_type="application/json")
