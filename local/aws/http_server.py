"""Serve HTTP on the loopback interface, for the gateway and the Lambda Runtime API."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

HOST = "127.0.0.1"

TARGET = "leads.target"
"""The key in the environ of the path and query as they were sent. WSGI decodes its own path."""

HEADERS = "leads.headers"
"""The key in the environ of the headers as they were sent. WSGI joins and renames its own."""

_POLL_SECONDS = 0.1
"""The delay of `close`. Longer slows the stop of a stack; shorter wakes an idle laptop more often."""


class HttpServer:
    """Answer requests from construction until `close`, each in a connection and a thread of its own."""

    def __init__(self, answer: Callable[[Request], Response], port: int = 0) -> None:
        """Listen on `port`, or on a free one if it is 0. Raise OSError if the port is in use."""
        # werkzeug ends the whole program if the port is in use, so it gets a socket that listens already.
        with socket.create_server((HOST, port), backlog=128) as listening:
            self._server = make_server(
                HOST,
                port,
                Request.application(answer),
                threaded=True,
                request_handler=_Handler,
                fd=listening.fileno(),
            )
        self.port = self._server.port
        threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name=f"http-{self.port}", daemon=True
        ).start()

    def close(self) -> None:
        """Stop listening. Running requests are still answered."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    # A malformed request counts as this version. Under HTTP/0.9 its refusal would have no status line.
    default_request_version = "HTTP/1.1"
    timeout = 75  # An idle connection must not occupy its thread for ever.

    def make_environ(self) -> dict[str, Any]:
        return super().make_environ() | {TARGET: self.path, HEADERS: tuple(self.headers.items())}

    def handle_expect_100(self) -> bool:
        return True  # werkzeug sends `100 Continue` itself.

    def send_response(self, code: int, message: str | None = None) -> None:
        """Send the usual reason phrase and, like API Gateway, no Server header."""
        self.send_response_only(code)
        self.send_header("Date", self.date_time_string())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a malformed request in API Gateway's words."""
        self.close_connection = True
        body = json.dumps({"message": "Bad Request"}).encode()
        self.send_response_only(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log(self, type: str, message: str, *args: Any) -> None:
        """Write nothing. The gateway has a log of its own."""
