"""Wait for the Postgres server to answer, end it, and end the one of a killed process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 60.0
"""The time for the server to accept connections. It may have to recover after a kill."""

END_SECONDS = 10.0
"""The time for the server to end after each of the signals."""

# A fast shutdown, an immediate one, after which the next start recovers, and a kill.
_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)


def free_port(preferred: int) -> int:
    """Return the preferred loopback TCP port if it is free, or another free one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1")


def answers(process: subprocess.Popen[bytes], data: Path) -> bool:
    """Wait until the server accepts connections. Return False if it ended or needed too long."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            lines = []
        # Line 8 is the state, and line 1 the process: the file may still be a killed server's.
        if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
            return True
        time.sleep(0.01)
    return False


def end_server(process: subprocess.Popen[bytes]) -> None:
    """End a server that this process started, and wait for it."""
    for number in _SIGNALS:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def end_leftover_server(data: Path) -> None:
    """End the server of a killed process. Remove its lock file, whose number may be another program's."""
    lock_file = data / "postmaster.pid"
    try:
        pid = int(lock_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    for number in _SIGNALS:
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
        return not Path("/proc/self").exists()  # macOS has no /proc: the lock file must do.
