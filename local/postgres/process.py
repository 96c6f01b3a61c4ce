"""The Postgres server as a process: when it answers, how it ends, and what a killed one leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 60.0
"""How long the server may take to accept connections: it may have to recover after a kill."""

END_SECONDS = 10.0
"""How long it may take to end, each time it is asked more firmly."""

# Postgres's fast shutdown, its immediate one (the next start recovers), and no choice.
_ENDINGS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)


def free_port(wish: int) -> int:
    """A free loopback TCP port: the wish when it is free, else any."""
    for port in (wish, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def answers(process: subprocess.Popen[bytes], data: Path) -> bool:
    """Wait until the server takes connections; False when it ended or took too long."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        # The eighth line is the state. The first must be ours: a killed server's file may still lie there.
        if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
            return True
        time.sleep(0.01)
    return False


def end_server(process: subprocess.Popen[bytes]) -> None:
    """End a server that we started, and wait for it."""
    for number in _ENDINGS:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def end_leftover_server(data: Path) -> None:
    """End the server of a killed process, or drop its lock file when another program has its number now."""
    lock_file = data / "postmaster.pid"
    try:
        pid = int(lock_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    for number in _ENDINGS:
        if not _serves(pid, data):
            break
        os.kill(pid, number)
        deadline = time.monotonic() + END_SECONDS
        while _serves(pid, data) and time.monotonic() < deadline:
            time.sleep(0.02)
    lock_file.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data
    except OSError:
        return not Path("/proc/self").exists()  # Without /proc (macOS) believe the lock file.
