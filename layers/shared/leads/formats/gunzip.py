"""A `.csv.gz` as the bytes that it holds, streaming, with a bound on what it may expand to.

A file is known by its first bytes, not by its name: what an upload was called is not in its key.
"""

import zlib
from typing import Final

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats.text_lines import ByteSource

EXPANDED_LIMIT: Final = 2 * 1024**3
"""Bytes that a compressed file may hold: as many as an upload may have that is not compressed."""

MEMBERS_LIMIT: Final = 1_000_000
"""Members that a compressed file may consist of, which take two seconds. Tools that compress in blocks make
a member of each 64 KiB, thirty times fewer; a malicious file holds a hundred million empty ones, and reading
it would say nothing for minutes.
"""

_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
"""Tells zlib that a gzip header and trailer are around the data (zlib manual, inflateInit2)."""

_BLOCK: Final = 64 * 1024
"""Compressed bytes taken at once."""


def gunzipped(source: ByteSource, limit: int = EXPANDED_LIMIT, members: int = MEMBERS_LIMIT) -> ByteSource:
    """The source itself, or what it holds when it is gzip-compressed (RFC 1952), several members included.

    Reading raises InvalidFile when it is damaged, cut short, or holds more than `limit` bytes or
    `members` members.
    """
    head = b""
    while len(head) < len(_MAGIC) and (part := source.read(len(_MAGIC) - len(head))):
        head += part
    whole = PrependedSource(head, source)
    return _Gunzipped(whole, limit, members) if head == _MAGIC else whole


class PrependedSource:
    """A source whose first bytes were read already."""

    def __init__(self, head: bytes, source: ByteSource) -> None:
        self._head = head
        self._source = source

    def read(self, size: int, /) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._source.read(size)


class _Gunzipped:
    def __init__(self, source: ByteSource, limit: int, members: int) -> None:
        self._source = source
        self._limit = limit
        self._members = members
        self._members_left = members - 1
        self._left = limit
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._waiting = b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._member.eof and not self._next_member():
                return b""
            compressed = self._waiting or self._source.read(_BLOCK)
            try:
                # Bounded: a few bytes of a malicious file may expand to a thousand times as many.
                data = self._member.decompress(compressed, size)
            except zlib.error as error:
                raise _damaged() from error
            self._waiting = self._member.unconsumed_tail
            if data:
                return self._counted(data)
            if not compressed:
                raise _damaged()

    def _next_member(self) -> bool:
        """Begins what follows an ended member, if anything does; zeros that pad a file are nothing."""
        rest = self._member.unused_data.lstrip(b"\0")
        while not rest and (block := self._source.read(_BLOCK)):
            rest = block.lstrip(b"\0")
        if not rest:
            return False
        self._members_left -= 1
        if self._members_left < 0:
            raise InvalidFile(
                FailureCode.INVALID_GZIP,
                f"The compressed file consists of more than {self._members:,} compressed parts. Compress the "
                "CSV file again (gzip), as one, and send that.",
            )
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._waiting = rest
        return True

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise InvalidFile(
                FailureCode.INVALID_GZIP,
                f"The compressed file holds more than {self._limit:,} bytes. Split it into several files.",
            )
        return data


def _damaged() -> InvalidFile:
    return InvalidFile(
        FailureCode.INVALID_GZIP,
        "The compressed file is damaged or incomplete. Compress the CSV file again (gzip) and send that.",
    )
