"""Lends ports of this machine's loopback interface to another of its addresses, for as long as it takes."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator

LOOPBACK = "127.0.0.1"

_PIECE = 65536
"""Bytes taken at once: what a socket's buffer gives."""


@contextlib.contextmanager
def forwarded(address: str, ports: Iterable[int]) -> Iterator[None]:
    """What connects to one of these ports of the address reaches the same port of the loopback interface.

    Raises OSError when the address is not this machine's, or a port of it is taken.
    """
    with contextlib.ExitStack() as running:
        for port in ports:
            server = running.enter_context(_Forwarder((address, port), _Connection))
            thread = threading.Thread(target=server.serve_forever, name=f"forward-{port}", daemon=True)
            thread.start()
            running.callback(server.shutdown)
        yield


class _Forwarder(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False  # A connection that somebody keeps open must not keep us.


class _Connection(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _Forwarder

    def handle(self) -> None:
        with socket.create_connection((LOOPBACK, self.server.server_address[1])) as service:
            back = threading.Thread(target=_copy, args=(service, self.request), daemon=True)
            back.start()
            _copy(self.request, service)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Everything of one direction, and its end: the other one may go on."""
    with contextlib.suppress(OSError):  # Either side may go away.
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
