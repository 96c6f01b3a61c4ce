"""A TCP proxy between the functions and Postgres that can do what networks do.

It holds a connection at a given message, or lets all packets of its connections fall: no acknowledgement, no
answer to probes, as when a machine or a link is gone.
"""

import contextlib
import ctypes
import fcntl
import socket
import struct
import termios
import threading
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Final

from leads.postgres.connection import Database
from tests.support.service import APP_PASSWORD, Service, database_settings

SO_ATTACH_FILTER: Final = 26
"""Of Linux, asm-generic/socket.h; Python has no name for it."""

_DROP_ALL: Final = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
"""A filter of one instruction, `ret 0`: take nothing of any packet (Linux, networking/filter.rst)."""


class Hold:
    """The next connection whose client sends these texts, one after the other, goes no further."""

    def __init__(self, *texts: bytes, forward: bool) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()
        self.texts = list(texts)
        self.forward = forward

    def release(self) -> None:
        """Lets it go on."""
        self.released.set()

    def wait(self) -> None:
        """Waits for a connection to get there."""
        assert self.reached.wait(30), f"nobody sent {self.texts}"


class _Link:
    """One connection of a client and ours to the server."""

    def __init__(self, proxy: "TcpProxy", client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self.client = client
        self.server = server
        self.lost = False
        self._held: Hold | None = None
        self._progress: dict[Hold, int] = {}
        self._tail = b""

    def start(self) -> None:
        for source, sink, look in ((self.client, self.server, self._look), (self.server, self.client, None)):
            threading.Thread(target=self._forward, args=(source, sink, look), daemon=True).start()

    def _forward(
        self, source: socket.socket, sink: socket.socket, look: Callable[[bytes], None] | None
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if look is not None:
                    look(data)
                held = self._held
                # With `forward` what the client sent still goes, and the answer to it is what is held.
                if held is not None and not (held.forward and look is not None):
                    held.reached.set()
                    if not self._released(held):
                        break
                sink.sendall(data)
        if not self.lost:
            # The end of one side is the end of both.
            self.close()

    def _released(self, held: Hold) -> bool:
        """Waits until the connection may go on; False when its client is gone meanwhile."""
        while not held.released.wait(0.02):
            with contextlib.suppress(BlockingIOError):
                if not self.client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                    return False
        self._held = None
        return True

    def _look(self, data: bytes) -> None:
        """Finds out whether this connection is the one to hold."""
        seen = self._tail + data
        for hold in tuple(self._proxy.holds):
            while (place := seen.find(hold.texts[self._progress.get(hold, 0)])) >= 0:
                self._progress[hold] = self._progress.get(hold, 0) + 1
                seen = seen[place + 1 :]
                if self._progress[hold] == len(hold.texts):
                    if self._proxy.take(hold):
                        self._held = hold
                        return
                    break
        self._tail = seen[-200:]

    def drop_packets(self) -> None:
        """From now on nothing that either side sends arrives here."""
        self.lost = True
        for one in (self.client, self.server):
            program = struct.pack("HL", 1, ctypes.addressof(_DROP_ALL))
            with contextlib.suppress(OSError, ValueError):  # Closed already.
                _wait_until_taken(one)
                one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def close(self) -> None:
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def _wait_until_taken(one: socket.socket) -> None:
    """Wait a moment for the acknowledgement of what was sent.

    Otherwise it is sent again and again, which the other side takes for signs of life.
    """
    for _ in range(200):
        (unacknowledged,) = struct.unpack("i", fcntl.ioctl(one, termios.TIOCOUTQ, bytes(4)))
        if not unacknowledged:
            return
        threading.Event().wait(0.005)


class TcpProxy:
    """Forwards connections to a server on loopback, between `start` and `close` or within a `with`."""

    def __init__(self, server: Callable[[], tuple[str, int]]) -> None:
        """`server` tells where it is at each connection: it may come back somewhere else."""
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: list[_Link] = []
        self.port: int = self._listener.getsockname()[1]
        self.holds: list[Hold] = []
        self._lock = threading.Lock()
        self._lost: list[_Link] = []

    def __enter__(self) -> "TcpProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self._links + self._lost:
            link.close()

    def hold(self, *texts: bytes, forward: bool = False) -> Hold:
        """Hold the next connection that sends these texts, before the last of them.

        With `forward` it is held after the last one, and gets no answer.
        """
        hold = Hold(*texts, forward=forward)
        self.holds.append(hold)
        return hold

    def take(self, hold: Hold) -> bool:
        """Whether a connection that has sent all its texts is the first one."""
        with self._lock:
            if hold not in self.holds:
                return False
            self.holds.remove(hold)
            return True

    def drop_packets(self) -> None:
        """Lets nothing through any more on the connections that are there; new ones are as they should be."""
        gone, self._links = self._links, []
        self._lost += gone
        for link in gone:
            link.drop_packets()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server(), timeout=5)
            except OSError:
                client.close()
                continue
            link = _Link(self, client, server)
            try:
                server.settimeout(None)
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                # One of them has gone already.
                link.close()
                continue
            self._links.append(link)
            link.start()


def database_behind(service: Service, proxy: TcpProxy, kind: type[Database] = Database) -> Database:
    """The functions' database, through a proxy."""
    settings = database_settings(service.postgres, "leads_app", APP_PASSWORD)
    return kind(replace(settings, port=proxy.port), "test")
