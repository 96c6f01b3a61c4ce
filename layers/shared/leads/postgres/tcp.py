"""Set the TCP options of a connection to Postgres. Nothing here depends on the driver."""

import socket
import sys
from typing import Final

KEEPALIVE_OPTIONS: Final = {
    "TCP_KEEPIDLE": 20,  # seconds without traffic before the first probe
    "TCP_KEEPINTVL": 5,  # seconds between two probes
    "TCP_KEEPCNT": 3,  # probes without an acknowledgement
    "TCP_USER_TIMEOUT": 35_000,  # milliseconds that sent data may stay unacknowledged
}
"""Close a connection if the server acknowledges nothing for 35 s.

The server closes it after the same time (app_role_create in sql/schema.sql). A statement that runs long is
not affected: the server's operating system acknowledges the probes.
"""


def set_tcp_options(connected: socket.socket) -> None:
    """Send messages at once, and detect a server that is unreachable."""
    # Otherwise a message that is sent in two pieces waits for the acknowledgement of the first one, up to
    # 40 ms at each COPY (Nagle's algorithm, RFC 896). libpq sets this option, too; pg8000 does not.
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # pg8000 has enabled probes, but the first one comes after two hours. Other systems name the options
    # differently.
    if sys.platform == "linux":
        for name, value in KEEPALIVE_OPTIONS.items():
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
