"""Check after each test that it leaves no process, thread or pipe."""

import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.processes import Started, none_is_left, remembered


def open_files() -> list[str]:
    """Return the open pipes and unnamed files: an import opens only these, other threads open others."""
    found = []
    for descriptor in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith("pipe:") or target.endswith("(deleted)"):
                found.append(target)
    return sorted(found)


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Collect the processes that a test starts. None may outlive it, nor a thread, nor an open pipe."""
    processes = remembered(monkeypatch)
    threads = set(threading.enumerate())
    files = open_files()
    # Earlier objects are exempt from collection, which would take longer than the test.
    gc.freeze()
    yield processes
    # An unclosed file warns here, in the test that opened it.
    gc.collect()
    none_is_left(processes)
    assert set(threading.enumerate()) <= threads, "a thread still runs"
    assert open_files() == files, "a file or a pipe is still open"
