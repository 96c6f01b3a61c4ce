"""A small HTTP/1.1 server on the loopback interface, for the gateway and the Lambda Runtime API."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any

HOST = "127.0.0.1"

DRAIN_BYTES = 256 * 1024 * 1024
"""How much of a refused body is still read, so that its sender comes to read the answer."""

CHUNK_BYTES = 256 * 1024


class BadRequest(ValueError):
    """The request breaks HTTP's own rules."""


class BodyTooLarge(ValueError):
    """The body is larger than what the reader asked for; most of it has been read and dropped."""


class HttpServer:
    """Takes connections from its construction until `close`, each served by a thread of its own."""

    def __init__(self, serve: Callable[[socket.socket, Any], object], port: int = 0) -> None:
        """Listen on `port` (0: any) and call `serve(connection, address)`. OSError when the port is taken."""
        self._serve = serve
        self._listening = socket.create_server((HOST, port), backlog=128)
        self.port: int = self._listening.getsockname()[1]
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._accept, name=f"http-{self.port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and cut every connection, whatever it is doing."""
        self._closing = True
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
            pass  # Wakes the accepting thread; closing its socket would not.
        self._thread.join(5)
        self._listening.close()
        with self._lock:
            left = dict(self._connections)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in left.values():
            if thread is not threading.current_thread():
                thread.join(1)

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, address = self._listening.accept()
            except OSError:
                continue
            thread = threading.Thread(target=self._talk, args=(connection, address), daemon=True)
            with self._lock:
                self._connections[connection] = thread
            thread.start()

    def _talk(self, connection: socket.socket, address: Any) -> None:
        try:
            if not self._closing:
                # A client that goes away is no event: every other error shows.
                with contextlib.suppress(ConnectionError, TimeoutError):
                    self._serve(connection, address)
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            with contextlib.suppress(OSError):
                # An orderly end: a bare close with unread bytes left resets the connection under our answer.
                connection.shutdown(socket.SHUT_WR)
            connection.close()


class HttpHandler(BaseHTTPRequestHandler):
    """One connection: requests of any method go to `answer`, one after the other. Silent."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for the client's acknowledgement
    default_request_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, address: Any) -> None:
        """Serves the whole connection: returns when it is over."""
        super().__init__(connection, address, None)  # type: ignore[arg-type]

    def answer(self) -> None:
        """Answer the request that has been read up to its body."""
        raise NotImplementedError

    def send(self, status: int, headers: list[tuple[str, str]], body: bytes = b"") -> None:
        """Send a whole response, its length and date with it."""
        self.send_response_only(status)
        self.send_header("Date", formatdate(usegmt=True))
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def read_body(self, limit: int) -> bytes:
        """The body, its chunks joined. Raises BodyTooLarge beyond `limit` bytes, and BadRequest."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunked(limit)
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise BadRequest("unknown Transfer-Encoding")
        length = self._content_length()
        if length > limit:
            self.drain(length)
            raise BodyTooLarge
        return self._read_exactly(length)

    def handle_expect_100(self) -> bool:
        """`Expect: 100-continue` is answered when the body is wanted: at once, for curl waits for it."""
        self.send_response_only(100)
        self.end_headers()
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A request that is no HTTP."""
        self.close_connection = True
        self.command = getattr(self, "command", None) or ""
        self.send(code, [("Content-Type", "application/json")], b'{"message":"Bad Request"}')

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who serves decides what is worth a line."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def _content_length(self) -> int:
        declared = self.headers.get("Content-Length", "0").strip()
        if not (declared.isascii() and declared.isdigit()):
            self.close_connection = True
            raise BadRequest("Content-Length is no number")
        return int(declared)

    def _read_exactly(self, length: int) -> bytes:
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            raise ConnectionAbortedError("the client went away within its request")
        return body

    def _read_chunked(self, limit: int) -> bytes:
        parts: list[bytes] = []
        total = 0
        while True:
            size = self.rfile.readline(1024).split(b";")[0].strip()
            try:
                length = int(size, 16)
            except ValueError:
                self.close_connection = True
                raise BadRequest("a chunk without its size") from None
            if length < 0:
                self.close_connection = True
                raise BadRequest("a chunk of a negative size")
            if length == 0:
                break
            total += length
            if total > DRAIN_BYTES:
                self.close_connection = True
                raise BodyTooLarge
            if total > limit:
                parts.clear()
                self.drain(length)
            else:
                parts.append(self._read_exactly(length))
            self.rfile.readline(1024)
        while self.rfile.readline(1024).strip():
            pass  # Trailers.
        if total > limit:
            raise BodyTooLarge
        return b"".join(parts)

    def drain(self, length: int) -> None:
        """Read and drop `length` bytes of body, or DRAIN_BYTES of them and then close the connection."""
        left = min(length, DRAIN_BYTES)
        if length > left:
            self.close_connection = True
        while left > 0 and (dropped := self.rfile.read(min(left, CHUNK_BYTES))):
            left -= len(dropped)
