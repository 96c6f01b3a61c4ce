"""Stand in for streams that misbehave, and for a database connection."""

import threading
import zlib
from collections.abc import Iterator, Sequence
from itertools import cycle

from leads.jobs.keepalive import Keepalive


class SourceThatDribbles:
    """Return fewer bytes than requested, a few at a time, as a network may."""

    def __init__(self, content: bytes, sizes: Sequence[int] = (1,)) -> None:
        self._rest = content
        self._sizes: Iterator[int] = cycle(sizes)

    def read(self, size: int, /) -> bytes:
        block = self._rest[: min(size, next(self._sizes))]
        self._rest = self._rest[len(block) :]
        return block


class SourceThatNeverEnds:
    """Return the same block for ever, after an optional head."""

    def __init__(self, block: bytes, head: bytes = b"") -> None:
        self._block = block
        self._buffer = head
        self.bytes_read = 0

    def read(self, size: int, /) -> bytes:
        missing = size - len(self._buffer)
        self._buffer += self._block * -(-missing // len(self._block))
        content, self._buffer = self._buffer[:size], self._buffer[size:]
        self.bytes_read += size
        return content


class SourceThatBreaksOff:
    """Return some content, then fail as a lost connection does."""

    def __init__(self, content: bytes, error: Exception) -> None:
        self._rest = SourceThatDribbles(content, [100_000])
        self._error = error

    def read(self, size: int, /) -> bytes:
        if block := self._rest.read(size):
            return block
        raise self._error


class SourceThatStalls:
    """Return some content, then block until `go_on` is set, then return the rest."""

    def __init__(self, content: bytes, rest: bytes) -> None:
        self._content = SourceThatDribbles(content, [100_000])
        self._rest = SourceThatDribbles(rest, [100_000])
        self.go_on = threading.Event()
        self.stalls = threading.Event()

    def read(self, size: int, /) -> bytes:
        if block := self._content.read(size):
            return block
        self.stalls.set()
        if not self.go_on.wait(60):
            raise TimeoutError("go_on was never set")
        return self._rest.read(size)


class BombOfZeros:
    """Return one gzip member that expands a thousandfold without end, and count the bytes read of it."""

    def __init__(self) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self._buffer = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
        # Behind a full flush the same zeros are the same bytes again.
        self._megabyte = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
        self.bytes_read = 0

    def read(self, size: int, /) -> bytes:
        while len(self._buffer) < size:
            self._buffer += self._megabyte
        block, self._buffer = self._buffer[:size], self._buffer[size:]
        self.bytes_read += len(block)
        return block


class NoConnection(Keepalive):
    """Count pings, in place of a connection that receives them."""

    def __init__(self) -> None:
        self.pings = 0

    def ping(self) -> None:
        """Count a ping."""
        self.pings += 1
