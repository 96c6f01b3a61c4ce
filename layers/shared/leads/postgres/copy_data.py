"""What COPY … TO STDOUT sends, taken from the connection block by block instead of row by row.

The server sends each row as a message of its own: `d`, four bytes of length, the row (PostgreSQL, Message
Formats, CopyData). The driver makes two reads and a call of each, which takes longer than Postgres does.
Here one regular expression takes the heads of a whole block away: a row of a text format holds no NUL and
ends with a line break, so nothing but a head looks like one. What is not as expected is read one by one.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

READ_BUFFER: Final = 256 * 1024
"""Bytes that the stream should buffer: what Python does once a block then vanishes beside the copying."""

_ROW: Final = b"d"
_HEAD_SIZE: Final = 5
"""Bytes of a message before its content: its kind and its length, which counts itself but not the kind."""

_HEAD_BEGINS: Final = b"d\x00\x00"
"""The head of a row shorter than 64 KiB; within a head or a row these three do not follow each other."""
_HEADS: Final = re.compile(_HEAD_BEGINS + b"..", re.DOTALL)


class BufferedStream(Protocol):
    """What a connection reads from, such as io.BufferedReader."""

    def peek(self, size: int = 0, /) -> bytes:
        """What is buffered; when that is nothing, what one read of the socket gives, b'' at its end."""
        ...

    def read(self, size: int, /) -> bytes:
        """As many bytes, fewer only at the end."""
        ...


def read_copy_data(stream: BufferedStream, write: Callable[[bytes, int], object]) -> None:
    """Writes the rows that come next, with their number, and leaves the first message that is no row in the
    stream.

    Raises ConnectionError when the stream ends within a row, and whatever `write` raises.
    """
    while (block := stream.peek()).startswith(_ROW):
        rows, count, size, missing = _whole(block) or _one_by_one(block)
        if size:
            stream.read(size)
        else:
            count, missing = 1, _length(_exactly(stream, _HEAD_SIZE), 0)
        write(rows + _exactly(stream, missing) if missing else rows, count)


class _Rows(NamedTuple):
    """Rows at the beginning of a block."""

    rows: bytes
    number: int
    size: int
    """Bytes of the block that are done with."""
    missing: int
    """Bytes of the last row that come after the block."""


def _whole(block: bytes) -> _Rows | None:
    """All rows of a block at once, or None when something else is in it."""
    if not block.startswith(_HEAD_BEGINS):
        return None
    last = block.rfind(_HEAD_BEGINS)
    end = last
    if last + _HEAD_SIZE <= len(block):
        end += _HEAD_SIZE + _length(block, last)
    rows, count = _HEADS.subn(b"", block[:end])
    # A NUL is left of the head of any other message: it does not begin like that of a row.
    if not rows or b"\x00" in rows:
        return None
    return _Rows(rows, count, min(end, len(block)), max(0, end - len(block)))


def _one_by_one(block: bytes) -> _Rows:
    """The rows before the first other message, or the first one alone; none when its head is not all here."""
    rows: list[bytes] = []
    at = 0
    while block.startswith(_ROW, at) and at + _HEAD_SIZE <= len(block):
        end = at + _HEAD_SIZE + _length(block, at)
        if end > len(block):
            if not rows:
                return _Rows(block[_HEAD_SIZE:], 1, len(block), end - len(block))
            break
        rows.append(block[at + _HEAD_SIZE : end])
        at = end
    return _Rows(b"".join(rows), len(rows), at, 0)


def _length(block: bytes, at: int) -> int:
    """Bytes of the content of the message that begins there."""
    return int.from_bytes(block[at + 1 : at + _HEAD_SIZE], "big") - 4


def _exactly(stream: BufferedStream, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise ConnectionError("the connection ended within a row")
    return content
