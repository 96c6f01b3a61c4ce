"""Imitate streams that misbehave."""

import threading
import zlib
from collections.abc import Iterator, Sequence
from itertools import cycle


class SourceThatDribbles:
    """Returns fewer bytes than asked for, a few at a time, as a network may."""

    def __init__(self, content: bytes, sizes: Sequence[int] = (1,)) -> None:
        self._rest = content
        self._sizes: Iterator[int] = cycle(sizes)

    def read(self, size: int, /) -> bytes:
        part = self._rest[: min(size, next(self._sizes))]
        self._rest = self._rest[len(part) :]
        return part


class SourceThatNeverEnds:
    """Returns the same block for ever, after a head."""

    def __init__(self, block: bytes, head: bytes = b"") -> None:
        self._block = block
        self._waiting = head
        self.bytes_read = 0

    def read(self, size: int, /) -> bytes:
        missing = size - len(self._waiting)
        self._waiting += self._block * -(-missing // len(self._block))
        part, self._waiting = self._waiting[:size], self._waiting[size:]
        self.bytes_read += size
        return part


class SourceThatBreaksOff:
    """Returns some content, then fails like a lost connection."""

    def __init__(self, content: bytes, error: Exception) -> None:
        self._rest = SourceThatDribbles(content, [100_000])
        self._error = error

    def read(self, size: int, /) -> bytes:
        if part := self._rest.read(size):
            return part
        raise self._error


class SourceThatStalls:
    """Returns some content, then nothing until `go_on` is set, then the rest."""

    def __init__(self, content: bytes, rest: bytes) -> None:
        self._content = SourceThatDribbles(content, [100_000])
        self._rest = SourceThatDribbles(rest, [100_000])
        self.go_on = threading.Event()
        self.stalls = threading.Event()

    def read(self, size: int, /) -> bytes:
        if part := self._content.read(size):
            return part
        self.stalls.set()
        if not self.go_on.wait(60):
            raise TimeoutError("go_on was not set")
        return self._rest.read(size)


class BombOfZeros:
    """Returns an endless gzip member that expands a thousandfold, and counts the bytes read of it."""

    def __init__(self) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self._waiting = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
        # Behind a full flush the same zeros are the same bytes again.
        self._megabyte = packer.compress(bytes(1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
        self.bytes_read = 0

    def read(self, size: int, /) -> bytes:
        while len(self._waiting) < size:
            self._waiting += self._megabyte
        block, self._waiting = self._waiting[:size], self._waiting[size:]
        self.bytes_read += len(block)
        return block
