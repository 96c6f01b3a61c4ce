"""Rows are read from their messages, wherever the network cuts these."""

import io
from collections.abc import Sequence
from itertools import cycle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typing_extensions import Buffer

from leads.postgres.copy_data import read_copy_data


class Network(io.RawIOBase):
    """Returns as many bytes per read as `cuts` says, which repeats."""

    def __init__(self, content: bytes, cuts: Sequence[int]) -> None:
        self._content = memoryview(content)
        self._cuts = cycle(cuts)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        target = memoryview(buffer)
        size = min(len(target), len(self._content), next(self._cuts))
        target[:size] = self._content[:size]
        self._content = self._content[size:]
        return size


def message(kind: bytes, content: bytes) -> bytes:
    return kind + (len(content) + 4).to_bytes(4, "big") + content


class Written:
    """Receives rows and counts them."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.rows = 0

    def __call__(self, data: bytes, rows: int) -> None:
        self.calls.append(data)
        self.rows += rows


def read(content: bytes, cuts: Sequence[int], buffer: int) -> tuple[bytes, int, bytes]:
    """Return the rows, their number, and the rest of the stream."""
    stream = io.BufferedReader(Network(content, cuts), buffer)
    written = Written()
    read_copy_data(stream, written)
    return b"".join(written.calls), written.rows, stream.read()


# Few letters, so that rows hold the bytes that a head starts with. Lengths near those with a `d` in the head.
TEXTS = st.text("d,é\x01", max_size=40)
LENGTHS = st.sampled_from([95, 96, 100, 251, 252, 25_595, 25_596, 25_695, 65_530, 65_531, 65_540, 70_000])
ROWS = TEXTS.map(lambda text: text.encode() + b"\n") | LENGTHS.map(lambda length: b"d" * (length - 1) + b"\n")
COPY_DONE = message(b"c", b"") + message(b"C", b"COPY 3\0") + message(b"Z", b"T")
ERROR = message(b"E", b"SERROR\0C57014\0Mcancelled\0\0") + message(b"Z", b"E")
# "ended" and two NULs look like the start of a row's head.
NOTICE_LIKE_ROWS = (
    message(b"N", b"Mended\0\0" + message(b"d", b"not a row\n") + b"d\0\0\0\x05\n\0") + COPY_DONE
)


@given(
    rows=st.lists(ROWS, max_size=12),
    after=st.sampled_from([COPY_DONE, ERROR, NOTICE_LIKE_ROWS]),
    cuts=st.lists(st.integers(1, 300) | st.just(100_000), min_size=1, max_size=5),
    buffer=st.sampled_from([1, 7, 64, 8192, 262_144]),
)
@example(rows=[b"d\n"] * 3, after=COPY_DONE, cuts=[1], buffer=8192)
@example(rows=[b"\n"], after=COPY_DONE, cuts=[3, 9], buffer=8192)
def test_read_copy_data_stops_at_the_next_message(
    rows: list[bytes], after: bytes, cuts: list[int], buffer: int
) -> None:
    content = b"".join(message(b"d", row) for row in rows)
    assert read(content + after, cuts, buffer) == (b"".join(rows), len(rows), after)


@pytest.mark.parametrize("size", range(1, len(message(b"d", b"a,b\n"))))
def test_read_copy_data_raises_at_end_within_a_row(size: int) -> None:
    with pytest.raises(ConnectionError):
        read(message(b"d", b"c,d\n") + message(b"d", b"a,b\n")[:size], [1000], 8192)


def test_read_copy_data_reads_a_row_of_16_mib() -> None:
    """The four bytes of such a row's length hold no NUL, unlike those of shorter rows."""
    row = b"x" * (0x01010101 - 5) + b"\n"
    content = message(b"d", b"a\n") + message(b"d", row) + message(b"d", b"b\n")
    rows, number, rest = read(content + COPY_DONE, [100_000], 262_144)
    assert (len(rows), number, rest) == (len(row) + 4, 3, COPY_DONE)


def test_read_copy_data_returns_at_end_between_rows() -> None:
    """The driver reads next, and raises the error of a closed connection."""
    assert read(message(b"d", b"c,d\n"), [1000], 8192) == (b"c,d\n", 1, b"")


def test_read_copy_data_writes_blocks_not_rows() -> None:
    written = Written()
    stream = io.BufferedReader(Network(message(b"d", b"one,row\n") * 1000 + COPY_DONE, [100_000]), 262_144)
    read_copy_data(stream, written)
    assert (len(b"".join(written.calls)), written.rows) == (8000, 1000)
    assert len(written.calls) <= 2
