"""Decoding chooses the encoding and refuses what is no text, wherever the blocks end."""

import codecs
import io
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats import decoding
from leads.formats.decoding import BLOCK_BYTES, ByteSource, decode
from tests.unit.fakes import SourceThatDribbles


def text_of(content: bytes) -> str:
    return "".join(decode(io.BytesIO(content)))


def refusal(source: bytes | ByteSource) -> tuple[FailureCode, str]:
    with pytest.raises(InvalidFile) as caught:
        list(decode(io.BytesIO(source) if isinstance(source, bytes) else source))
    return caught.value.code, str(caught.value)


def broken(encoding: str, offset: int) -> tuple[FailureCode, str]:
    return (
        FailureCode.INVALID_ENCODING,
        f"The file starts as {encoding}, but the byte at offset {offset:,} is not valid {encoding}. "
        "Save it as CSV (UTF-8) and send that.",
    )


FRENCH = "Prénom;Téléphone\nZoé \u2013 l\u2019été;5 €\n"
MARK = "\ufeff"
ENCODED = {
    "UTF-8": ("", FRENCH.encode()),
    "UTF-8 with a mark": (MARK, codecs.BOM_UTF8 + FRENCH.encode()),
    "UTF-16 LE with a mark": (MARK, codecs.BOM_UTF16_LE + FRENCH.encode("utf-16-le")),
    "UTF-16 BE with a mark": (MARK, codecs.BOM_UTF16_BE + FRENCH.encode("utf-16-be")),
    "Windows-1252": ("", FRENCH.encode("cp1252")),
}


@pytest.mark.parametrize(("mark", "content"), ENCODED.values(), ids=ENCODED)
def test_encoding_is_found_and_its_mark_kept(mark: str, content: bytes) -> None:
    assert text_of(content) == mark + FRENCH


@pytest.mark.parametrize(("mark", "content"), ENCODED.values(), ids=ENCODED)
def test_source_that_dribbles_is_decoded_alike(mark: str, content: bytes) -> None:
    assert "".join(decode(SourceThatDribbles(content))) == mark + FRENCH


def test_first_bytes_beyond_ascii_decide_however_late() -> None:
    head = b"a\n" * BLOCK_BYTES
    assert text_of(head + b"caf\xe9 \xc3\xa9\n").endswith("\ncafé Ã©\n")
    assert text_of(head + "café \u2028\n".encode()).endswith("\ncafé \u2028\n")


@pytest.mark.parametrize("cut", range(5))
def test_first_character_beyond_ascii_may_span_blocks(cut: int) -> None:
    head = "a" * (BLOCK_BYTES - cut)
    assert text_of(f"{head}😀b\n".encode()) == f"{head}😀b\n"
    assert text_of(f"{head}éb\n".encode("cp1252")) == f"{head}éb\n"
    assert text_of(f"{head}é".encode("cp1252")) == f"{head}é"


@pytest.mark.parametrize("cut", range(5))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_later_character_may_span_blocks(encoding: str, cut: int) -> None:
    start = len("é".encode(encoding))
    letter = len("aa".encode(encoding)) - len("a".encode(encoding))
    text = "é" + "a" * ((BLOCK_BYTES - start - cut) // letter)
    mark = MARK if encoding == "utf-16" else ""
    assert text_of(f"{text}😀b\n".encode(encoding)) == f"{mark}{text}😀b\n"


@given(
    st.text(st.sampled_from('ab;"\n\r é\u2028😀')),
    st.sampled_from([("utf-8", ""), ("utf-8-sig", MARK), ("utf-16", MARK)]),
    st.integers(4, 9),
    st.lists(st.integers(1, 5), min_size=1),
)
def test_text_does_not_depend_on_blocks(
    text: str, encoding: tuple[str, str], block: int, sizes: list[int]
) -> None:
    name, mark = encoding
    content = f"x{text}".encode(name)
    with patch.object(decoding, "BLOCK_BYTES", block):
        found = "".join(decode(SourceThatDribbles(content, sizes)))
    assert found == f"{mark}x{text}"


@pytest.mark.parametrize(
    "before", [0, 10, BLOCK_BYTES - 3, BLOCK_BYTES - 2, BLOCK_BYTES - 1, 3 * BLOCK_BYTES + 7]
)
def test_utf_8_that_breaks_is_refused_with_its_offset(before: int) -> None:
    head = "é".encode() + b"a" * before
    assert refusal(head + b"\xe9t\xe9\n") == broken("UTF-8", len(head))
    assert refusal(codecs.BOM_UTF8 + head + b"\xe9t\xe9\n") == broken("UTF-8", len(head) + 3)


def test_character_broken_by_the_next_block_has_its_own_offset() -> None:
    head = "é".encode() + b"a" * (BLOCK_BYTES - 4)
    assert refusal(head + b"\xe2\x82" + b"zzz") == broken("UTF-8", BLOCK_BYTES - 2)


def test_file_that_ends_within_a_character_is_refused() -> None:
    assert refusal("Prénom é".encode()[:-1]) == broken("UTF-8", 8)
    assert refusal(codecs.BOM_UTF16_LE + b"a\x00b") == broken("UTF-16", 4)


def test_utf_16_with_half_a_surrogate_pair_is_refused() -> None:
    assert refusal(codecs.BOM_UTF16_BE + b"\x00a\xd8\x3d\x00b") == broken("UTF-16", 4)


def test_byte_unknown_to_windows_1252_is_refused() -> None:
    assert refusal(b"caf\xe9 \x81\n") == broken("Windows-1252", 5)


def test_empty_file_is_refused() -> None:
    assert refusal(b"") == (FailureCode.EMPTY_FILE, "The file is empty. Send a CSV file with a header line.")


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_file_of_only_a_byte_order_mark_is_decoded(mark: bytes) -> None:
    assert text_of(mark) == MARK


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", "an Excel workbook or a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"\x1f\x8b\x08\x00", "gzip-compressed twice"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0", "a picture"),
    ],
)
def test_file_of_another_kind_is_refused_by_its_name(start: bytes, kind: str) -> None:
    message = f"The file is {kind}, not CSV. Save it as CSV (UTF-8) and send that."
    assert refusal(start + b"name,phone,source\n") == (FailureCode.UNSUPPORTED_FILE, message)
    assert refusal(SourceThatDribbles(start)) == (FailureCode.UNSUPPORTED_FILE, message)


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)), "name,phone\n".encode("utf-16-le"), b"\x7fELF\x02\x01\x01" + b"\x00" * 9],
    ids=["every byte", "UTF-16 without a mark", "a program"],
)
def test_binary_file_is_refused(content: bytes) -> None:
    assert refusal(content) == (
        FailureCode.UNSUPPORTED_FILE,
        "The file is binary, not CSV text. Save it as CSV (UTF-8) and send that.",
    )


def test_stray_control_characters_do_not_make_a_file_binary() -> None:
    text = "name,phone,source\nA\x00na,06\x1f12345678,web\n" * 2
    assert text_of(text.encode()) == text
