"""Read and write gzip-compressed files (RFC 1952), streaming, with a bound on what reading one costs.

A file is known to be compressed by its first bytes: its key does not hold the name of an upload.
"""

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Final

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats.decoding import ByteSource, read_fully

EXPANDED_LIMIT: Final = 2 * 1024**3
"""Bytes that a compressed file may expand to: as many as an upload may have that is not compressed."""

OVERHEAD_LIMIT_BYTES: Final = 1024 * 1024
"""Bytes by which a compressed file may exceed its content. Padding to a tape block takes up to 1 MiB, and
data that does not compress grows by 0.03 %. A higher limit lets empty members keep the reader busy for
longer without a byte to return.
"""

_SMALL_READ_BYTES: Final = 1024
"""A read of fewer bytes is the end of a member, and costs this much of OVERHEAD_LIMIT_BYTES. GzipFile takes
up to 0.1 ms for a member, so 2 GiB of members of a few bytes would take hours.
"""

_MAGIC: Final = b"\x1f\x8b"

_BLOCK_BYTES: Final = 128 * 1024
"""Compressed bytes read at once. GzipFile asks for single bytes of padding, which would be slow in S3."""

_MAX_READ_BYTES: Final = 64 * 1024
"""Expanded bytes asked for at once. For more, GzipFile gets memory from the system anew at each read."""

_LEVEL: Final = 1
"""zlib's fastest: its default, 6, takes three times as long for a file that is a quarter smaller."""

_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS
"""Makes zlib write a gzip header and trailer around the data (zlib manual, deflateInit2)."""


def decompress(source: ByteSource, limit: int = EXPANDED_LIMIT) -> ByteSource:
    """Return the expanded bytes of a gzip-compressed source, and any other source unchanged.

    Any number of gzip members is one file. Reading raises InvalidFile when the file is damaged or cut short,
    holds more than `limit` bytes, or has more than OVERHEAD_LIMIT_BYTES beside its content.
    """
    head = read_fully(source, len(_MAGIC))
    whole = PrependedSource(head, source)
    return _ExpandedSource(whole, limit) if head == _MAGIC else whole


class PrependedSource:
    """Return bytes that were read already, then the rest of their source."""

    def __init__(self, head: bytes, source: ByteSource) -> None:
        self._head = head
        self._source = source

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; b'' at the end."""
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._source.read(size)


class _CountedSource(io.BufferedIOBase):
    """Pass compressed bytes to GzipFile, until they exceed the expanded ones by too many."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._block = io.BytesIO()
        self.allowance = OVERHEAD_LIMIT_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = size or 0
        data = self._block.read(wanted)
        # GzipFile copes with fewer bytes, except for half of the magic bytes.
        while len(data) < min(wanted, len(_MAGIC)) and (block := read_fully(self._source, _BLOCK_BYTES)):
            self.allowance -= len(block)
            if self.allowance < 0:
                raise InvalidFile(
                    FailureCode.INVALID_GZIP,
                    "The compressed file consists of too many small parts, or of too much besides its data. "
                    "Compress the CSV file again (gzip), as one part, and send that.",
                )
            self._block = io.BytesIO(block)
            data += self._block.read(wanted - len(data))
        return data


class _ExpandedSource:
    """Expand gzip members with the bounds of `decompress`."""

    def __init__(self, source: ByteSource, limit: int) -> None:
        self._compressed = _CountedSource(source)
        self._file = gzip.GzipFile(fileobj=self._compressed, mode="rb")
        self._limit = limit
        self._remaining = limit

    def read(self, size: int, /) -> bytes:
        try:
            # read() would lose the bytes before a damaged one.
            data = self._file.read1(min(size, _MAX_READ_BYTES))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InvalidFile(
                FailureCode.INVALID_GZIP,
                "The compressed file is damaged or incomplete. Compress the CSV file again (gzip) and send "
                "that.",
            ) from error
        small = len(data) < min(size, _SMALL_READ_BYTES)
        self._compressed.allowance += -_SMALL_READ_BYTES if small else len(data)
        self._remaining -= len(data)
        if self._remaining < 0:
            raise InvalidFile(
                FailureCode.INVALID_GZIP,
                f"The compressed file holds more than {self._limit:,} bytes. Split it into several files.",
            )
        return data


class GzipWriter:
    """Compress bytes as they are written, and pass them on. Without `close` the file is incomplete."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._zlib = zlib.compressobj(_LEVEL, wbits=_GZIP_WBITS)

    def write(self, data: bytes) -> None:
        """Compress some bytes."""
        if compressed := self._zlib.compress(data):
            self._write(compressed)

    def close(self) -> None:
        """Pass on what is still compressed in memory, and the trailer."""
        self._write(self._zlib.flush())
