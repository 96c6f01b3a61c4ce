"""Read the next items in a thread while the caller works on earlier ones.

So the file is read while Postgres merges the rows before.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final, Generic, Protocol, TypeVar

from leads.jobs import keepalive as settings
from leads.jobs.keepalive import Keepalive

MAX_ITEMS: Final = 40
"""Items that wait to be taken: all chunks of one merge, so that Postgres finds the next ones ready.

With half of them Postgres waited for 3 % of an import.
"""

MAX_BYTES: Final = 16 * 1024 * 1024
"""Weight of the waiting items after which no more are read: rows may be long, and a chunk has many."""


class Weighed(Protocol):
    """An item that knows how much memory it takes."""

    @property
    def weight(self) -> int:
        """The item's bytes."""
        ...


_Head = TypeVar("_Head")
_Item = TypeVar("_Item", bound=Weighed)
_Read = TypeVar("_Read", covariant=True)


class Items(Protocol[_Read]):
    """An iterator that can be closed, such as a generator."""

    def __iter__(self) -> Iterator[_Read]:
        """Return itself."""
        ...

    def __next__(self) -> _Read:
        """Read the next item."""
        ...

    def close(self) -> None:
        """Stop reading."""
        ...


class ReadAhead(Generic[_Head, _Item]):
    """Reads a head and then items in a thread of its own. Close it.

    No more than MAX_ITEMS wait, and no more than one beyond MAX_BYTES. While the caller waits, Postgres is
    pinged.
    """

    def __init__(self, read: Callable[[], tuple[_Head, Items[_Item]]], keepalive: Keepalive) -> None:
        """Start to read. `read` returns the head and the items, which the thread closes."""
        self._read = read
        self._keepalive = keepalive
        self._changed = threading.Condition()
        self._head: _Head | None = None
        self._ready: list[_Item] = []
        self._weight = 0
        self._ended = False
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="read ahead", daemon=True)
        self._thread.start()

    def head(self) -> _Head:
        """Return the head. Raises what `read` raised."""
        self._wait(lambda: self._head is not None or self._ended)
        if self._head is None:
            raise self._error or EOFError("nothing was read")
        return self._head

    def __iter__(self) -> Iterator[list[_Item]]:
        """Return all items that are ready, at least one, until the items end.

        Raises what reading raised, after the items before it.
        """
        while True:
            self._wait(lambda: bool(self._ready) or self._ended)
            with self._changed:
                items, self._ready, self._weight = self._ready, [], 0
                ended = self._ended
                self._changed.notify_all()
            if items:
                yield items
            if ended:
                break
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop after the item that is being read, and wait for that."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def _wait(self, condition: Callable[[], bool]) -> None:
        while True:
            with self._changed:
                if self._changed.wait_for(condition, settings.PING_SECONDS):
                    return
            self._keepalive.ping()

    def _run(self) -> None:
        try:
            head, items = self._read()
            with closing(items):
                with self._changed:
                    self._head = head
                    self._changed.notify_all()
                for item in items:
                    if not self._put(item):
                        break
        except BaseException as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, item: _Item) -> bool:
        """Add an item once there is room. Return False if no more are wanted."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or (len(self._ready) < MAX_ITEMS and self._weight < MAX_BYTES)
            )
            self._ready.append(item)
            self._weight += item.weight
            self._changed.notify_all()
            return not self._stopped
