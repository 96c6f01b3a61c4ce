"""Reads while somebody else works on what was read: the import's file while Postgres takes the chunk
before.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Final, TypeVar

_T = TypeVar("_T")

AHEAD: Final = 40
"""Items that wait to be taken, and are then given together: all of the chunks that are merged at once, so
that Postgres finds the next ones ready. With half of them it waited for 3 % of an import.
"""

AHEAD_BYTES: Final = 16 * 1024 * 1024
"""What may wait before no more is made: a single row may have a million characters, and a chunk many rows."""


class _End:
    """The end of the items, and why when it is a fault."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def read_ahead(
    items: Generator[_T, None, None],
    *,
    weigh: Callable[[_T], int] = lambda _: 0,
    meanwhile: Callable[[], object] = lambda: None,
    every: float | None = None,
) -> Generator[list[_T], None, None]:
    """The items, made in a thread of their own: each time all that are ready, at least one. What making them
    raises is raised here, after those before it. Who waits for one calls `meanwhile` `every` so many seconds.

    No more than AHEAD of them wait, nor more than one beyond AHEAD_BYTES, by what `weigh` gives.
    Whoever stops early leaves the thread at most one more item to make; then the items are closed.
    """
    changed = threading.Condition()
    ready: list[_T] = []
    weight = 0
    end: _End | None = None
    stopped = False

    def put(item: _T) -> bool:
        nonlocal weight
        with changed:
            changed.wait_for(lambda: stopped or (len(ready) < AHEAD and weight < AHEAD_BYTES))
            ready.append(item)
            weight += weigh(item)
            changed.notify_all()
            return not stopped

    def make() -> None:
        nonlocal end
        error: BaseException | None = None
        try:
            with closing(items):
                for item in items:
                    if not put(item):
                        break
        except BaseException as fault:
            error = fault
        with changed:
            end = _End(error)
            changed.notify_all()

    def any_ready() -> bool:
        return bool(ready) or end is not None

    def take() -> tuple[list[_T], _End | None]:
        nonlocal ready, weight
        while True:
            with changed:
                if changed.wait_for(any_ready, every):
                    taken, ready, weight = ready, [], 0
                    changed.notify_all()
                    return taken, end
            meanwhile()

    thread = threading.Thread(target=make, name="read ahead", daemon=True)
    thread.start()
    try:
        last = None
        while last is None:
            taken, last = take()
            if taken:
                yield taken
        if last.error is not None:
            raise last.error
    finally:
        with changed:
            stopped = True
            changed.notify_all()
        thread.join()
