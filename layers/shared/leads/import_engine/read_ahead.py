"""Read the next batches of a file in a thread while Postgres merges the ones before."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

from leads.import_engine.batches import Batch, Batches, FileLayout
from leads.jobs.keepalive import Keepalive

MAX_BATCHES: Final = 40
"""Batches that may wait: all of one merge, so that Postgres finds the next ones ready.

With half of them Postgres waited for 3 % of an import.
"""

MAX_BYTES: Final = 16 * 1024 * 1024
"""Weight of the waiting batches after which no more are read: rows may be long, and a batch has many."""


class ReadAhead:
    """Read a file's layout and then its batches in a thread of its own. Close it.

    No more than MAX_BATCHES wait, and no more than one beyond MAX_BYTES. While the caller waits, Postgres is
    pinged.
    """

    def __init__(self, read: Callable[[], tuple[FileLayout, Batches]], keepalive: Keepalive) -> None:
        """Start to read. `read` returns the layout and the batches, which the thread closes."""
        self._read = read
        self._keepalive = keepalive
        self._changed = threading.Condition()
        self._layout: FileLayout | None = None
        self._ready: list[Batch] = []
        self._weight = 0
        self._ended = False
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="read ahead", daemon=True)
        self._thread.start()

    def layout(self) -> FileLayout:
        """Return the layout. Raises what `read` raised."""
        self._keepalive.wait_until(self._changed, lambda: self._layout is not None or self._ended)
        if self._layout is None:
            raise self._error or EOFError("nothing was read")
        return self._layout

    def __iter__(self) -> Iterator[list[Batch]]:
        """Return all batches that are ready, at least one, until the file ends.

        Raises what reading raised, after the batches before it.
        """
        while True:
            self._keepalive.wait_until(self._changed, lambda: bool(self._ready) or self._ended)
            with self._changed:
                batches, self._ready, self._weight = self._ready, [], 0
                ended = self._ended
                self._changed.notify_all()
            if batches:
                yield batches
            if ended:
                break
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop after the batch that is being read, and wait for that."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            layout, batches = self._read()
            with closing(batches):
                with self._changed:
                    self._layout = layout
                    self._changed.notify_all()
                for batch in batches:
                    if not self._put(batch):
                        break
        except BaseException as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, batch: Batch) -> bool:
        """Add a batch once there is room. Return False if no more are wanted."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped or (len(self._ready) < MAX_BATCHES and self._weight < MAX_BYTES)
            )
            self._ready.append(batch)
            self._weight += batch.weight
            self._changed.notify_all()
            return not self._stopped
