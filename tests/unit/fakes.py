"""Stand-ins for what a stream may do to us."""

from collections.abc import Iterator, Sequence
from itertools import cycle


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
    """Gives the same block for ever."""

    def __init__(self, byte: bytes) -> None:
        self._byte = byte
        self.given = 0

    def read(self, size: int, /) -> bytes:
        self.given += size
        return self._byte * size
