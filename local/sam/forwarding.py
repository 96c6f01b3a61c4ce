"""Forward ports of another address of this machine to its loopback interface for a while."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator

LOOPBACK = "127.0.0.1"

_PIECE_BYTES = 65536
"""The bytes of one read, about the size of a socket's buffer."""


@contextlib.contextmanager
def forwarded(address: str, ports: Iterable[int]) -> Iterator[None]:
    """Forward these ports of the address to the same ports of the loopback interface.

    Raises:
        OSError: The address is not this machine's, or a port of it is in use.
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
    block_on_close = False  # An open connection must not delay the end.


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
    """Copy one direction and its end. The other one may go on."""
    with contextlib.suppress(OSError):  # Either side may disconnect.
        while piece := source.recv(_PIECE_BYTES):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
