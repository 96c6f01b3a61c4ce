"""Ends a process's children when that process is gone, however it went.

Run as a program it is the warden: it reads commands on stdin, and when that ends it ends what it guards.
A process cannot clean up after its own SIGKILL, so somebody else has to; Linux's parent-death signal would be
shorter, but it comes when the *thread* that started the child ends, and macOS has none.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 5.0
"""How long a child that was asked to end may take before it is killed."""


class Warden:
    """A helper process that outlives us just long enough to end the children named to it.

    Children must lead a process group of their own (`start_new_session=True`): the whole group is signalled.
    """

    def __init__(self) -> None:
        """Start the helper, deaf to our terminal's signals."""
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )

    def guard(self, pid: int, ending: signal.Signals = signal.SIGKILL) -> None:
        """From now on end the process group `pid` with the signal `ending` when we are gone."""
        self._tell(f"guard {pid} {int(ending)}")

    def forget(self, pid: int) -> None:
        """The child has ended: its number may soon be somebody else's."""
        self._tell(f"forget {pid}")

    def close(self) -> None:
        """End the helper, and with it every child that it still guards."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, command: str) -> None:
        with self._lock:
            stdin = self._process.stdin
            if stdin is None or stdin.closed:
                return
            try:
                stdin.write(command.encode() + b"\n")
                stdin.flush()
            except BrokenPipeError:
                pass  # Somebody killed the helper; the children are still ended by an orderly stop.


def _signal(pid: int, number: int) -> bool:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _watch() -> None:
    guarded: dict[int, int] = {}
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "guard":
            guarded[int(numbers[0])] = int(numbers[1])
        else:
            guarded.pop(int(numbers[0]), None)
    left = [pid for pid, number in guarded.items() if _signal(pid, number)]
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [pid for pid in left if _signal(pid, 0)]
    for pid in left:
        _signal(pid, signal.SIGKILL)


if __name__ == "__main__":
    _watch()
