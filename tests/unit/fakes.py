"""Stand-ins for what a stream may do to us."""

import threading
import zlib
from collections.abc import Iterator, Sequence
from itertools import cycle

from leads.jobs.keepalive import Keepalive


class SourceThatDribbles:
    """Gives fewer bytes than asked for, a few at a time, as a network may."""

    def __init__(self, content: bytes, sizes: Sequence[int] = (1,)) -> None:
        self._rest = content
        self._sizes: Iterator[int] = cycle(sizes)

    def read(self, size: int, /) -> bytes:
        taken = self._rest[: min(size, next(self._sizes))]
        self._rest = self._rest[len(taken) :]
        return taken


class SourceThatNeverEnds:
    """Gives the same block for ever, perhaps after something else."""

    def __init__(self, block: bytes, head: bytes = b"") -> None:
        self._block = block
        self._waiting = head
        self.given = 0

    def read(self, size: int, /) -> bytes:
        missing = size - len(self._waiting)
        self._waiting += self._block * -(-missing // len(self._block))
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        self.given += size
        return taken


class SourceThatBreaksOff:
    """Gives some content, then fails as a lost connection does."""

    def __init__(self, content: bytes, error: Exception) -> None:
        self._rest = SourceThatDribbles(content, [100_000])
        self._error = error

    def read(self, size: int, /) -> bytes:
        if taken := self._rest.read(size):
            return taken
        raise self._error


class SourceThatStalls:
    """Gives some content, then nothing until `go_on` is set, then the rest."""

    def __init__(self, content: bytes, rest: bytes) -> None:
        self._content = SourceThatDribbles(content, [100_000])
        self._rest = SourceThatDribbles(rest, [100_000])
        self.go_on = threading.Event()
        self.stalls = threading.Event()

    def read(self, size: int, /) -> bytes:
        if taken := self._content.read(size):
            return taken
        self.stalls.set()
        if not self.go_on.wait(60):
            raise TimeoutError("nobody lets the source go on")
        return self._rest.read(size)


class BombOfZeros:
    """One gzip member that expands a thousandfold without an end, and counts what was taken of it."""

    def __init__(self) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self._waiting = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
        # Behind a full flush the same zeros are the same bytes again.
        self._megabyte = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
        self.taken = 0

    def read(self, size: int, /) -> bytes:
        while len(self._waiting) < size:
            self._waiting += self._megabyte
        block, self._waiting = self._waiting[:size], self._waiting[size:]
        self.taken += len(block)
        return block


class NoConnection(Keepalive):
    """Counts pings, in place of a connection that gets them."""

    def __init__(self) -> None:
        self.pings = 0

    def ping(self) -> None:
        """Count a ping."""
        self.pings += 1
