"""Reads while somebody else works on what was read: the import's file while Postgres takes the chunk
before.
"""

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from typing import Final, TypeVar

_T = TypeVar("_T")

AHEAD: Final = 20
"""Items that wait to be taken, and the most that are given together: half of the chunks that are merged at
once, so that Postgres finds the next ones ready.
"""


class _End:
    """The end of the items, and why when it is a fault."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def read_ahead(
    items: Generator[_T, None, None],
    *,
    meanwhile: Callable[[], object] = lambda: None,
    every: float | None = None,
) -> Generator[list[_T], None, None]:
    """The items, made in a thread of their own: each time all that are ready, at least one. What making them
    raises is raised here, after those before it. Who waits for one calls `meanwhile` `every` so many seconds.

    Whoever stops early leaves the thread at most one more item to make; then the items are closed.
    """
    ready: queue.Queue[_T | _End] = queue.Queue(AHEAD)
    stopped = threading.Event()

    def put(item: _T | _End) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            with closing(items):
                for item in items:
                    if not put(item):
                        return
            put(_End())
        except BaseException as error:
            put(_End(error))

    def wait() -> _T | _End:
        while True:
            try:
                return ready.get(timeout=every)
            except queue.Empty:
                meanwhile()

    def all_ready() -> list[_T | _End]:
        found = [wait()]
        with suppress(queue.Empty):
            while len(found) < AHEAD and not isinstance(found[-1], _End):
                found.append(ready.get_nowait())
        return found

    thread = threading.Thread(target=make, name="read ahead", daemon=True)
    thread.start()
    try:
        end = None
        while end is None:
            found = all_ready()
            if isinstance(last := found[-1], _End):
                end = last
            if some := [item for item in found if not isinstance(item, _End)]:
                yield some
        if end.error is not None:
            raise end.error
    finally:
        stopped.set()
        thread.join()
