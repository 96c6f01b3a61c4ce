"""Measure the memory of processes together. Linux only; elsewhere the result is 0.

It is the sum of their proportional set sizes (PSS), so memory that two processes share counts once.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

_INTERVAL_SECONDS: Final = 0.05
"""Time between two samples. Less slows the processes down, and more misses short peaks."""


class PeakMemory:
    """Peak memory of the children that run a program, with their descendants, in a `with` block."""

    def __init__(self, program: str) -> None:
        self._program = program.encode()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.megabytes = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_INTERVAL_SECONDS):
            watched = [child for child in _children(os.getpid()) if self._program in _command(child)]
            family = {pid for child in watched for pid in _family(child)}
            self.megabytes = max(self.megabytes, sum(map(_pss, family)) / 1024)


def _children(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _family(pid: int) -> list[int]:
    return [pid, *(member for child in _children(pid) for member in _family(child))]


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _pss(pid: int) -> int:
    """Return the kilobytes of a process, or 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
