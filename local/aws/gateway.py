"""The HTTP API: routes, JWT authorizer and limits of the gateway in front of the functions.

What the gateway itself answers is `{"message": …}`, as API Gateway words it; all else is the function's.
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
"""API Gateway's limit for the time that a function takes."""

Invoke = Callable[[str, bytes], Outcome]
AccessLog = Callable[[str], None]


class PortTaken(LaptopError):
    """Another program listens on the gateway's port."""


def require_free(port: int) -> None:
    """Raise PortTaken when another program listens on this port, to say so before anything is started."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise PortTaken(
            f"port {port} is taken: stop what listens there, or set PORT (0 picks a free one)"
        ) from error


class Gateway:
    """Serves the functions' routes from its construction until `close`."""

    def __init__(
        self,
        functions: Iterable[Function],
        authorizer: JwtAuthorizer,
        invoke: Invoke,
        *,
        port: int,
        access_log: AccessLog = lambda line: None,
    ) -> None:
        """`invoke(logical id, event)` gives the outcome. `port` 0 picks one; else it may be PortTaken."""
        self._authorizer = authorizer
        self._access_log = access_log
        self._invoke = invoke
        self._routes = [(route, function.logical_id) for function in functions for route in function.routes]
        # As many as environments could serve; the invocation goes on when its client or our patience is gone.
        self._callers = ThreadPoolExecutor(max_workers=64, thread_name_prefix="gateway")
        require_free(port)
        self._server = HttpServer(self._answer, port)

    @property
    def url(self) -> str:
        """Where the API answers, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.port}"

    def close(self) -> None:
        """Stop listening. Requests under way are answered when their functions end."""
        self._server.close()
        self._callers.shutdown(wait=False, cancel_futures=True)

    def _answer(self, request: werkzeug.Request) -> Response:
        started_at = time.monotonic()
        request_id = str(uuid.uuid4())
        response = self._respond(request, request_id)
        response.headers["apigw-requestid"] = request_id
        milliseconds = (time.monotonic() - started_at) * 1000
        # Without the query, which may hold phones. Before the answer, so that its client finds the line.
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
        """A request's route, its function and the path's parameters; literal segments win over `{id}`."""
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
    for expected, given in zip(route, path, strict=True):
        if expected.startswith("{") and expected.endswith("}") and given:
            parameters[expected[1:-1]] = unquote(given, errors="replace")
        elif expected != given:
            return None
    return parameters


def _read(request: werkzeug.Request) -> bytes:
    """Return the body. Raise BadRequest or RequestEntityTooLarge."""
    # werkzeug reads no body for a length that is no number, and one that is chunked whatever else it is.
    coding = request.headers.get("Transfer-Encoding", "chunked").lower()
    if coding != "chunked" or not request.headers.get("Content-Length", "0").strip().isdecimal():
        raise BadRequest
    request.max_content_length = BODY_BYTES
    return request.get_data()


def _message(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps({"message": message}, separators=(",", ":"))
    return Response(body, status, headers, content_type="application/json")
