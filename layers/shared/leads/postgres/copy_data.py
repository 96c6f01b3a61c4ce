"""Read the rows of COPY … TO STDOUT from the connection, block by block instead of row by row.

The server sends each row as a message of its own: `d`, four bytes of length, the row (PostgreSQL, Message
Formats, CopyData). pg8000 reads twice and calls a function for each message, which takes longer than
Postgres does.

Here one regular expression removes the heads of a whole block. In a text format a row holds no NUL and ends
with a line break, so that nothing but a head looks like one. An unexpected block is read message by message.

The stream is pg8000's private `_sock`; connection.py says so. tests/unit/postgres/test_copy_data.py holds the
format, tests/integration/database/test_copy_out.py holds that the driver and this module read one stream.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

READ_BUFFER_BYTES: Final = 256 * 1024
"""The buffer that the stream should have: with it, Python's work per block is small beside copying it."""

_ROW: Final = b"d"
_HEAD_BYTES: Final = 5
"""The head of a message: its kind, and its length, which counts itself but not the kind."""

_HEAD_START: Final = b"d\x00\x00"
"""The start of the head of a row below 64 KiB. Nothing else in a head or a row has these three bytes."""
_HEADS: Final = re.compile(_HEAD_START + b"..", re.DOTALL)


class BufferedStream(Protocol):
    """The stream of a connection, such as io.BufferedReader."""

    def peek(self, size: int = 0, /) -> bytes:
        """Return the buffered bytes, after one read of the socket if there are none; b'' at the end."""
        ...

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes, or fewer at the end."""
        ...


def read_copy_data(stream: BufferedStream, write: Callable[[bytes, int], object]) -> None:
    """Write the rows that follow, with their number, up to the first message that is no row.

    That message stays in the stream. Errors of `write` are raised on. Raises ConnectionError if the stream
    ends within a row.
    """
    while (block := stream.peek()).startswith(_ROW):
        rows, number, size, missing = _split_block(block) or _split_messages(block)
        if size:
            stream.read(size)
        else:
            number, missing = 1, _content_length(_read_exactly(stream, _HEAD_BYTES), 0)
        write(rows + _read_exactly(stream, missing) if missing else rows, number)


class _Rows(NamedTuple):
    """Rows at the beginning of a block, without their heads."""

    rows: bytes
    number: int
    size: int
    """The number of bytes of the block that these rows and their heads take up."""
    missing: int
    """The number of bytes of the last row that come after the block."""


def _split_block(block: bytes) -> _Rows | None:
    """Return all rows of a block, or None if the block holds anything else."""
    if not block.startswith(_HEAD_START):
        return None
    last = block.rfind(_HEAD_START)
    end = last
    if last + _HEAD_BYTES <= len(block):
        end += _HEAD_BYTES + _content_length(block, last)
    rows, number = _HEADS.subn(b"", block[:end])
    # The head of another message is not removed, and holds a NUL: it does not start like a row's.
    if not rows or b"\x00" in rows:
        return None
    return _Rows(rows, number, min(end, len(block)), max(0, end - len(block)))


def _split_messages(block: bytes) -> _Rows:
    """Return the whole rows before the first other message, or else the first row as far as it is there.

    There are no rows if the block does not hold all of the first head.
    """
    rows: list[bytes] = []
    at = 0
    while block.startswith(_ROW, at) and at + _HEAD_BYTES <= len(block):
        end = at + _HEAD_BYTES + _content_length(block, at)
        if end > len(block):
            if not rows:
                return _Rows(block[_HEAD_BYTES:], 1, len(block), end - len(block))
            break
        rows.append(block[at + _HEAD_BYTES : end])
        at = end
    return _Rows(b"".join(rows), len(rows), at, 0)


def _content_length(block: bytes, at: int) -> int:
    """Return the number of bytes of the content of the message that starts at `at`."""
    return int.from_bytes(block[at + 1 : at + _HEAD_BYTES], "big") - 4


def _read_exactly(stream: BufferedStream, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise ConnectionError("the connection ended within a row")
    return content
