"""A compressed file is read as what it holds or refused, never as a part of it or as something else."""

import gzip
import io
import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats.compression import EXPANDED_LIMIT, OVERHEAD_LIMIT_BYTES, decompress
from leads.formats.decoding import BLOCK_BYTES, ByteSource, decode
from leads.formats.reader import LeadReader
from leads.s3.bucket import UPLOAD_LIMIT
from tests.unit.fakes import BombOfZeros, SourceThatDribbles

DAMAGED = "The compressed file is damaged or incomplete. Compress the CSV file again (gzip) and send that."
CSV = "Nom;Téléphone;Source\nZoé;0612345678;web\n" * 5


def blocks_of(source: ByteSource, sizes: int | list[int] = 4096) -> Iterator[bytes]:
    """Yield the bytes of a source that is asked for these sizes, over and over."""
    wanted = [sizes] if isinstance(sizes, int) else sizes
    while True:
        for size in wanted:
            if not (block := source.read(size)):
                return
            assert len(block) <= size, "more than was asked for"
            yield block


def content_of(compressed: bytes, limit: int = EXPANDED_LIMIT) -> bytes:
    return b"".join(blocks_of(decompress(io.BytesIO(compressed), limit)))


def refusal(source: bytes | ByteSource, limit: int = EXPANDED_LIMIT) -> tuple[bytes, str]:
    """Return the bytes before the refusal of a file, and its message."""
    given: list[bytes] = []
    source = io.BytesIO(source) if isinstance(source, bytes) else source
    with pytest.raises(InvalidFile) as caught:
        given.extend(blocks_of(decompress(source, limit)))
    assert caught.value.code is FailureCode.INVALID_GZIP
    return b"".join(given), str(caught.value)


# Random bytes grow when they are compressed, and text that repeats expands a hundredfold.
contents = st.binary() | st.builds(
    lambda text, times: text * times, st.binary(max_size=9), st.integers(0, 999)
)
sizes_read = st.lists(st.integers(1, 200), min_size=1, max_size=5)


@given(st.lists(contents, min_size=1, max_size=4), st.integers(0, 9), sizes_read, sizes_read)
@example([b""], 9, [1], [1])
def test_members_are_expanded_whatever_the_pieces(
    members: list[bytes], level: int, given_sizes: list[int], asked_sizes: list[int]
) -> None:
    file = b"".join(gzip.compress(member, level) for member in members)
    source = decompress(SourceThatDribbles(file, given_sizes))
    assert b"".join(blocks_of(source, asked_sizes)) == b"".join(members)
    assert [source.read(1), source.read(1)] == [b"", b""], "an end is final"


@given(contents, contents, st.integers(0, 300), sizes_read)
def test_padding_of_zeros_is_skipped(first: bytes, second: bytes, zeros: int, given_sizes: list[int]) -> None:
    padding = bytes(zeros)
    file = gzip.compress(first) + padding + gzip.compress(second) + padding
    assert b"".join(blocks_of(decompress(SourceThatDribbles(file, given_sizes)))) == first + second


def test_padding_of_more_than_a_block_is_skipped() -> None:
    padding = bytes(BLOCK_BYTES + 1)
    assert content_of(gzip.compress(b"a") + padding + gzip.compress(b"b") + padding) == b"ab"


def test_header_with_name_and_time_is_skipped() -> None:
    file = io.BytesIO()
    with gzip.GzipFile("leads é.csv", "wb", fileobj=file, mtime=1_700_000_000) as member:
        member.write(CSV.encode())
    assert content_of(file.getvalue()) == CSV.encode()


@given(st.binary(), sizes_read, sizes_read)
@example(b"", [1], [1])
@example(b"\x1f", [1], [1])
@example(b"\x1fab", [1], [3, 1])
@example(b"a\x1f\x8b", [1], [1])
def test_file_that_is_not_gzip_is_unchanged(
    content: bytes, given_sizes: list[int], asked_sizes: list[int]
) -> None:
    if not content.startswith(b"\x1f\x8b"):
        source = decompress(SourceThatDribbles(content, given_sizes))
        assert b"".join(blocks_of(source, asked_sizes)) == content


def test_truncated_file_is_refused_wherever_it_is_cut() -> None:
    content = CSV.encode()
    file = gzip.compress(content)
    for length in range(2, len(file)):
        given, message = refusal(file[:length])
        assert message == DAMAGED, f"cut at {length}"
        assert content.startswith(given), f"cut at {length}"


def test_truncated_second_member_is_refused_wherever_it_is_cut() -> None:
    first, second = gzip.compress(b"name,phone,source\n"), gzip.compress(b"Ana,06,web\n")
    for length in range(1, len(second)):
        given, message = refusal(first + second[:length])
        assert message == DAMAGED, f"cut at {length}"
        assert given.startswith(b"name,phone,source\n"), f"cut at {length}"


def test_flipped_bit_never_yields_other_content() -> None:
    content = CSV.encode()
    file = gzip.compress(content)
    harmless = set()
    for at in range(2 * 8, len(file) * 8):
        flipped = bytearray(file)
        flipped[at // 8] ^= 1 << at % 8
        result: object
        try:
            result = content_of(bytes(flipped))
            harmless.add(at // 8)
        except InvalidFile as error:
            result = (error.code, str(error))
        assert result in (content, (FailureCode.INVALID_GZIP, DAMAGED)), f"bit {at}"
    # Time, extra flags, system and the flag of text do not change the content (RFC 1952, 2.3.1). Nor do the
    # bits that fill the last compressed byte.
    assert harmless <= {*range(3, 10), len(file) - 9}


@given(st.binary(min_size=1).filter(lambda rest: rest.strip(b"\0") != b""), st.integers(0, 9))
@example(b"\x1f", 0)
@example(b"\x1f\x8b", 0)
@example(b"name,phone,source\n", 5)
def test_junk_behind_a_member_is_refused_after_the_member(rest: bytes, zeros: int) -> None:
    assert refusal(gzip.compress(CSV.encode()) + bytes(zeros) + rest) == (CSV.encode(), DAMAGED)


@pytest.mark.parametrize(
    "header", ["1f8b", "1f8b08", "1f8b0800", "1f8b08e0" + "00" * 20, "1f8b07" + "00" * 20]
)
def test_file_that_only_starts_like_gzip_is_refused(header: str) -> None:
    assert refusal(bytes.fromhex(header)) == (b"", DAMAGED)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 100))
def test_members_together_may_hold_exactly_the_limit(limit: int, cut: int, size: int) -> None:
    content = bytes(index % 256 for index in range(limit + 1))
    first, rest = content[: min(cut, limit)], content[min(cut, limit) :]
    whole = gzip.compress(first) + gzip.compress(rest[:-1])
    assert b"".join(blocks_of(decompress(io.BytesIO(whole), limit), size)) == content[:-1]
    given, message = refusal(gzip.compress(first) + gzip.compress(rest), limit)
    assert content.startswith(given)
    assert message == f"The compressed file holds more than {limit:,} bytes. Split it into several files."


@pytest.mark.parametrize(
    "hostile",
    [
        gzip.compress(b"") * 100_000,
        gzip.compress(b"x") * 100_000,
        gzip.compress(b"a,06,web\n" * 20) * 100_000,
        gzip.compress(b"x") + bytes(2 * OVERHEAD_LIMIT_BYTES),
        b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * (2 * OVERHEAD_LIMIT_BYTES),
        b"\x1f\x8b\x08\x00" + bytes(6) + b"\0\0\0\xff\xff" * OVERHEAD_LIMIT_BYTES,
    ],
    ids=["empty members", "members of a byte", "small members", "padding", "name", "empty blocks"],
)
def test_overhead_beyond_its_limit_is_refused_early(hostile: bytes) -> None:
    """The reader returns no byte meanwhile, so it must not take seconds."""
    file = io.BytesIO(hostile)
    given, message = refusal(file)
    assert len(given) < 2 * OVERHEAD_LIMIT_BYTES
    assert message == (
        "The compressed file consists of too many small parts, or of too much besides its data. "
        "Compress the CSV file again (gzip), as one part, and send that."
    )
    assert file.tell() < 2 * OVERHEAD_LIMIT_BYTES, "it was read on"


def test_padding_to_a_tape_block_is_accepted() -> None:
    """GNU tar's largest block in use is 1 MiB (--blocking-factor=2048)."""
    member = gzip.compress(CSV.encode() * 2000)
    assert content_of(member + bytes(1024**2 - len(member))) == CSV.encode() * 2000


def test_members_of_64_kib_are_accepted() -> None:
    """The blocks of BGZF hold at most 64 KiB (SAM specification, 4.1)."""
    block = (CSV.encode() * 1000)[: 64 * 1024]
    assert content_of(gzip.compress(block, 1) * 2000) == block * 2000


def test_incompressible_content_is_accepted() -> None:
    noise = random.Random(1).randbytes(16 * 1024**2)  # noqa: S311 (incompressible data)
    assert content_of(gzip.compress(noise)) == noise


def test_source_that_dribbles_is_no_file_of_many_members() -> None:
    content = random.Random(1).randbytes(20_000)  # noqa: S311 (data that does not compress)
    source = decompress(SourceThatDribbles(gzip.compress(content)))
    assert b"".join(iter(lambda: source.read(65_536), b"")) == content


def test_compressed_file_may_hold_as_much_as_an_upload() -> None:
    assert EXPANDED_LIMIT == UPLOAD_LIMIT


def test_bomb_is_refused_at_the_limit_with_flat_memory() -> None:
    limit = 256 * 1024**2
    bomb = BombOfZeros()
    source = decompress(bomb, limit)
    expanded = 0

    def expand() -> None:
        nonlocal expanded
        for block in blocks_of(source, BLOCK_BYTES):
            expanded += len(block)

    tracemalloc.start()
    try:
        with pytest.raises(InvalidFile, match=r"holds more than 268,435,456 bytes"):
            expand()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert limit - BLOCK_BYTES <= expanded <= limit
    assert peak < 8 * BLOCK_BYTES, "memory grew with what the file expands to"
    assert bomb.bytes_read < limit / 500, "this is no bomb"


def test_bomb_of_zeros_is_refused_as_binary() -> None:
    bomb = BombOfZeros()
    with pytest.raises(InvalidFile) as caught:
        next(decode(decompress(bomb)))
    assert caught.value.code is FailureCode.UNSUPPORTED_FILE
    assert bomb.bytes_read <= BLOCK_BYTES


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(CSV.encode()), "gzip-compressed twice"),
        (b"PK\x03\x04\x14\x00", "an Excel workbook or a ZIP archive"),
    ],
    ids=["gzip", "workbook"],
)
def test_only_one_layer_is_expanded(content: bytes, what: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        list(decode(decompress(io.BytesIO(gzip.compress(content)))))
    assert caught.value.code is FailureCode.UNSUPPORTED_FILE
    assert str(caught.value) == f"The file is {what}, not CSV. Save it as CSV (UTF-8) and send that."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_compressed_file_is_read_like_the_file_itself(encoding: str) -> None:
    content = CSV.encode(encoding)
    plain, packed = LeadReader(io.BytesIO(content)), LeadReader(io.BytesIO(gzip.compress(content)))
    assert packed.fields == plain.fields
    assert packed.report_format == plain.report_format
    assert list(packed.chunks()) == list(plain.chunks())


def test_compressed_empty_file_is_an_empty_file() -> None:
    with pytest.raises(InvalidFile) as caught:
        LeadReader(io.BytesIO(gzip.compress(b"")))
    assert caught.value.code is FailureCode.EMPTY_FILE


def test_damage_far_into_a_file_is_found_there() -> None:
    rows = "".join(f"Zoé {row},06{row:08},web\n" for row in range(60_000))
    file = bytearray(gzip.compress(f"name,phone,source\n{rows}".encode()))
    file[-8] ^= 1
    chunks = LeadReader(io.BytesIO(bytes(file)), chunk_rows=1000).chunks()
    assert len(next(chunks).leads) == 1000
    with pytest.raises(InvalidFile) as caught:
        list(chunks)
    assert caught.value.code is FailureCode.INVALID_GZIP
