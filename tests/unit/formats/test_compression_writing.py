"""The writer makes one gzip file of what is written, and passes it on early."""

import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.formats.compression import GzipWriter


def compressed(blocks: list[bytes], *, close: bool = True) -> list[bytes]:
    """Return the pieces that the writer passes on for these blocks."""
    pieces: list[bytes] = []
    writer = GzipWriter(pieces.append)
    for block in blocks:
        writer.write(block)
    if close:
        writer.close()
    return pieces


@given(st.lists(st.binary(max_size=300) | st.just(b"Ana;0612345678;web\r\n" * 1000), max_size=20))
def test_blocks_are_read_back(blocks: list[bytes]) -> None:
    pieces = compressed(blocks)
    assert gzip.decompress(b"".join(pieces)) == b"".join(blocks)
    assert b"" not in pieces


def test_empty_file_is_read_back() -> None:
    assert gzip.decompress(b"".join(compressed([]))) == b""


def test_file_is_one_member_without_a_time() -> None:
    content = b"".join(compressed([b"name,phone\n", b"Ana,06\n"]))
    assert content[:4] == b"\x1f\x8b\x08\x00"
    assert content[4:8] == bytes(4), "the same leads must make the same bytes"
    decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert decompressor.decompress(content) == b"name,phone\nAna,06\n"
    assert (decompressor.eof, decompressor.unused_data) == (True, b"")


def test_compressed_bytes_are_passed_on_early() -> None:
    noise = random.Random(1).randbytes(1024 * 1024)  # noqa: S311 (incompressible data)
    before_the_end = sum(map(len, compressed([noise] * 4, close=False)))
    whole = sum(map(len, compressed([noise] * 4)))
    assert before_the_end > whole - 512 * 1024, "the memory would grow with the file"


def test_file_without_close_is_truncated() -> None:
    content = b"".join(compressed([b"name,phone\n" * 100_000], close=False))
    with pytest.raises(EOFError):
        gzip.decompress(content)


def test_error_of_the_sink_is_raised() -> None:
    def refuse(_: bytes) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        GzipWriter(refuse).close()


def test_leads_take_less_than_half_their_size() -> None:
    rows = b"".join(b"Lead %d,06%08d,lead%d@agency.example,web\n" % (n, n * 7919, n) for n in range(5000))
    assert sum(map(len, compressed([rows]))) < len(rows) / 2
