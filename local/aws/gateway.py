"""The HTTP API: routes, JWT authorizer and limits of the gateway in front of the functions.

What the gateway itself answers is `{"message": …}`, as API Gateway words it; all else is the function's.
"""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from local.aws.authorizer import JwtAuthorizer, Unauthorized
from local.aws.http_event import Request, Response, build_event, read_response
from local.aws.http_server import HOST, BadRequest, BodyTooLarge, HttpHandler, HttpServer
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
        self.authorizer = authorizer
        self.access_log = access_log
        self._invoke = invoke
        self._routes = [(route, function.logical_id) for function in functions for route in function.routes]
        # As many as environments could serve; the invocation goes on when its client or our patience is gone.
        self._callers = ThreadPoolExecutor(max_workers=64, thread_name_prefix="gateway")
        require_free(port)
        self._server = HttpServer(lambda connection, address: _Handler(connection, address, self), port)

    @property
    def url(self) -> str:
        """Where the API answers, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.port}"

    def close(self) -> None:
        """Stop serving, at once. Outcomes under way are not waited for: end the functions, too."""
        self._server.close()
        self._callers.shutdown(wait=False, cancel_futures=True)

    def find(self, method: str, path: str) -> tuple[Route, str, dict[str, str]] | None:
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

    def call(self, function: str, event: bytes) -> Outcome:
        """Invoke a function. Raises TimeoutError after WAIT_SECONDS, which the function may not notice."""
        return self._callers.submit(self._invoke, function, event).result(WAIT_SECONDS)


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


class _Handler(HttpHandler):
    timeout = 75  # An idle connection is closed, as API Gateway's are.

    def __init__(self, connection: socket.socket, address: Any, gateway: Gateway) -> None:
        self._gateway = gateway
        super().__init__(connection, address)

    def answer(self) -> None:
        began = time.monotonic()
        request_id = str(uuid.uuid4())
        try:
            response = self._respond(request_id)
        except BadRequest:
            response = _message(400, "Bad Request")
        except BodyTooLarge:
            response = _message(413, "Request Entity Too Large")
        milliseconds = (time.monotonic() - began) * 1000
        # Without the query and before the answer, so that who has the answer finds the line.
        path = self.path.partition("?")[0]
        self._gateway.access_log(
            f"{self.command} {path} {response.status} {milliseconds:.0f} ms {request_id}"
        )
        self.send(response.status, [*response.headers, ("apigw-requestid", request_id)], response.body)

    def handle_expect_100(self) -> bool:
        length = self.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > BODY_BYTES:
            # Refused before it is sent. What comes all the same is read, or the client would miss the answer.
            self.close_connection = True
            refusal = _message(413, "Request Entity Too Large")
            self.send(refusal.status, list(refusal.headers), refusal.body)
            self.connection.settimeout(2)
            self.drain(int(length))
            return False
        return super().handle_expect_100()

    def _respond(self, request_id: str) -> Response:
        gateway = self._gateway
        body = self.read_body(BODY_BYTES)
        found = gateway.find(self.command, self.path.partition("?")[0])
        if found is None:
            return _message(404, "Not Found")
        route, function, parameters = found
        claims = None
        if route.authorized:
            try:
                claims = gateway.authorizer.claims(self.headers.get("Authorization"))
            except Unauthorized:
                return _message(401, "Unauthorized", ("www-authenticate", "Bearer"))
        request = Request(self.command, self.path, tuple(self.headers.items()), body, self.client_address[0])
        event = build_event(request, route.key, parameters, claims, request_id)
        payload = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        if len(payload) > EVENT_BYTES:
            return _message(413, "Request Entity Too Large")
        try:
            outcome = gateway.call(function, payload)
        except (TimeoutError, RuntimeError):  # RuntimeError: a gateway that closes takes no more.
            return _message(503, "Service Unavailable")
        if outcome.failed:
            return _message(500, "Internal Server Error")
        try:
            return read_response(outcome.payload)
        except ValueError:
            return _message(500, "Internal Server Error")


def _message(status: int, message: str, *headers: tuple[str, str]) -> Response:
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    return Response(status, (("Content-Type", "application/json"), *headers), body)
