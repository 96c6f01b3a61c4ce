"""What a use case starts it ends, however it ends itself."""

import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.processes import Started, none_is_left, remembered


def open_files() -> list[str]:
    """Pipes and files without a name, which are what an import opens; other threads open others."""
    found = []
    for descriptor in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith("pipe:") or target.endswith("(deleted)"):
                found.append(target)
    return sorted(found)


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """The processes that a test starts, of which none may outlive it, nor a thread, nor an open pipe."""
    processes = remembered(monkeypatch)
    threads = set(threading.enumerate())
    files = open_files()
    # What was there before need not be looked through after each test, which would take longer than the test.
    gc.freeze()
    yield processes
    # A file that was dropped unclosed says so now, not in a test to come.
    gc.collect()
    none_is_left(processes)
    assert set(threading.enumerate()) <= threads, "a thread is left"
    assert open_files() == files, "a file or a pipe is left open"
