"""Reads while somebody else works on what was read: the import's file while Postgres takes the chunk
before.
"""

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Final, TypeVar

_T = TypeVar("_T")

AHEAD: Final = 8
"""Items that wait to be taken: as many chunks as are merged at once, so that Postgres finds the next ones
ready.
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
) -> Generator[_T, None, None]:
    """The items, made in a thread of their own. What making them raises is raised here, after those before
    it. Who waits for one calls `meanwhile` `every` so many seconds.

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

    def take() -> _T | _End:
        while True:
            try:
                return ready.get(timeout=every)
            except queue.Empty:
                meanwhile()

    thread = threading.Thread(target=make, name="read ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := take(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()
