"""Bytes to lines: the encodings, the ends of lines, what is no text; whatever the blocks cut apart."""

import codecs
import io
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats import text_lines
from leads.formats.text_lines import BLOCK_SIZE, LINE_LIMIT, ByteSource, Lines
from tests.unit.fakes import SourceThatDribbles, SourceThatNeverEnds


def lines_of(content: bytes) -> list[str]:
    return list(Lines(io.BytesIO(content)))


def refusal(source: bytes | ByteSource) -> tuple[FailureCode, str]:
    with pytest.raises(InvalidFile) as caught:
        list(Lines(io.BytesIO(source) if isinstance(source, bytes) else source))
    return caught.value.code, str(caught.value)


def broken(encoding: str, offset: int) -> tuple[FailureCode, str]:
    return (
        FailureCode.INVALID_ENCODING,
        f"The file begins as {encoding}, but the byte at offset {offset:,} is not. "
        "Save it as CSV UTF-8 and send it again.",
    )


FRENCH = ["Prénom;Téléphone\n", "Zoé – l’été;5 €\n"]
MARK = "\ufeff"
ENCODED = {
    "UTF-8": ("", "".join(FRENCH).encode()),
    "UTF-8 with a mark": (MARK, codecs.BOM_UTF8 + "".join(FRENCH).encode()),
    "UTF-16 LE with a mark": (MARK, codecs.BOM_UTF16_LE + "".join(FRENCH).encode("utf-16-le")),
    "UTF-16 BE with a mark": (MARK, codecs.BOM_UTF16_BE + "".join(FRENCH).encode("utf-16-be")),
    "Windows-1252": ("", "".join(FRENCH).encode("cp1252")),
}


@pytest.mark.parametrize(("mark", "content"), ENCODED.values(), ids=ENCODED)
def test_an_encoding_of_the_policy_is_found_and_its_mark_is_kept(mark: str, content: bytes) -> None:
    assert lines_of(content) == [mark + FRENCH[0], FRENCH[1]]


@pytest.mark.parametrize(("mark", "content"), ENCODED.values(), ids=ENCODED)
def test_a_source_may_give_fewer_bytes_than_asked_for(mark: str, content: bytes) -> None:
    assert list(Lines(SourceThatDribbles(content))) == [mark + FRENCH[0], FRENCH[1]]


def test_the_first_bytes_past_ascii_decide_for_windows_1252_however_late_they_come() -> None:
    head = b"a\n" * BLOCK_SIZE
    assert lines_of(head + b"caf\xe9 \xc3\xa9\n")[-1] == "café Ã©\n"
    assert lines_of(head + "café \u2028\n".encode())[-1] == "café \u2028\n"


@pytest.mark.parametrize("cut", range(5))
def test_the_first_character_past_ascii_may_lie_across_two_blocks(cut: int) -> None:
    head = "a" * (BLOCK_SIZE - cut)
    assert lines_of(f"{head}😀b\n".encode()) == [f"{head}😀b\n"]
    assert lines_of(f"{head}éb\n".encode("cp1252")) == [f"{head}éb\n"]
    assert lines_of(f"{head}é".encode("cp1252")) == [f"{head}é"]


@pytest.mark.parametrize("cut", range(5))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_later_character_may_lie_across_two_blocks(encoding: str, cut: int) -> None:
    start = len("é".encode(encoding))
    letter = len("aa".encode(encoding)) - len("a".encode(encoding))
    text = "é" + "a" * ((BLOCK_SIZE - start - cut) // letter)
    mark = MARK if encoding == "utf-16" else ""
    assert lines_of(f"{text}😀b\n".encode(encoding)) == [f"{mark}{text}😀b\n"]


@pytest.mark.parametrize(
    "before", [0, 10, BLOCK_SIZE - 3, BLOCK_SIZE - 2, BLOCK_SIZE - 1, 3 * BLOCK_SIZE + 7]
)
def test_utf_8_that_breaks_later_is_refused_with_the_offset_of_the_byte(before: int) -> None:
    head = "é".encode() + b"a" * before
    assert refusal(head + b"\xe9t\xe9\n") == broken("UTF-8", len(head))
    assert refusal(codecs.BOM_UTF8 + head + b"\xe9t\xe9\n") == broken("UTF-8", len(head) + 3)


def test_a_character_that_breaks_off_in_the_next_block_is_refused_with_the_offset_of_its_first_byte() -> None:
    head = "é".encode() + b"a" * (BLOCK_SIZE - 4)
    assert refusal(head + b"\xe2\x82" + b"zzz") == broken("UTF-8", BLOCK_SIZE - 2)


def test_a_file_that_ends_within_a_character_is_refused() -> None:
    assert refusal("Prénom é".encode()[:-1]) == broken("UTF-8", 8)
    assert refusal(codecs.BOM_UTF16_LE + b"a\x00b") == broken("UTF-16", 4)


def test_utf_16_with_half_a_surrogate_pair_is_refused() -> None:
    assert refusal(codecs.BOM_UTF16_BE + b"\x00a\xd8\x3d\x00b") == broken("UTF-16", 4)


def test_a_byte_that_windows_1252_does_not_have_is_refused() -> None:
    assert refusal(b"caf\xe9 \x81\n") == broken("Windows-1252", 5)


def test_lines_end_with_lf_cr_and_crlf_as_they_come_and_keep_their_ends() -> None:
    assert lines_of(b"a\nb\rc\r\nd\n\re\r\r\nf") == ["a\n", "b\r", "c\r\n", "d\n", "\r", "e\r", "\r\n", "f"]


def test_nothing_else_ends_a_line() -> None:
    line = "a\vb\fc\x1cd\x85e\u2028f\u2029g\n"
    assert lines_of(line.encode()) == [line]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("cut", range(4))
def test_the_end_of_a_line_may_lie_across_two_blocks(end: str, cut: int) -> None:
    line = "a" * (BLOCK_SIZE - cut) + end
    assert lines_of(f"{line}b{end}".encode()) == [line, f"b{end}"]
    assert lines_of(line.encode()) == [line]


def test_a_line_may_be_longer_than_blocks() -> None:
    lines = ["a" * 1_000_000 + "\n", "b\n"]
    assert lines_of("".join(lines).encode()) == lines


texts = st.text(st.sampled_from('ab;"\n\r é\u2028😀'))
encodings = st.sampled_from([("utf-8", ""), ("utf-8-sig", MARK), ("utf-16", MARK)])
sizes_read = st.lists(st.integers(1, 5), min_size=1)


@given(texts, encodings, st.integers(4, 9), sizes_read)
def test_the_lines_do_not_depend_on_the_blocks(
    text: str, encoding: tuple[str, str], block: int, sizes: list[int]
) -> None:
    name, mark = encoding
    content = f"x{text}".encode(name)
    with patch.object(text_lines, "BLOCK_SIZE", block):
        found = list(Lines(SourceThatDribbles(content, sizes)))
    assert found == io.StringIO(f"{mark}x{text}", newline="").readlines()


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"") == (FailureCode.EMPTY_FILE, "The file is empty. Send a CSV file with a header line.")


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_a_file_that_is_nothing_but_a_byte_order_mark_has_no_other_line(mark: bytes) -> None:
    assert lines_of(mark) == [MARK]


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", "an Excel workbook or a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"\x1f\x8b\x08\x00", "gzip-compressed twice"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0", "a picture"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_its_name(start: bytes, what: str) -> None:
    message = f"The file is {what}, not CSV. Save it as CSV (UTF-8) and send that."
    assert refusal(start + b"name,phone,source\n") == (FailureCode.UNSUPPORTED_FILE, message)
    assert refusal(SourceThatDribbles(start)) == (FailureCode.UNSUPPORTED_FILE, message)


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)), "name,phone\n".encode("utf-16-le"), b"\x7fELF\x02\x01\x01" + b"\x00" * 9],
    ids=["every byte", "UTF-16 without a mark", "a program"],
)
def test_a_binary_file_is_refused(content: bytes) -> None:
    assert refusal(content) == (
        FailureCode.UNSUPPORTED_FILE,
        "The file is binary, not CSV text. Save it as CSV (UTF-8) and send that.",
    )


def test_a_stray_nul_or_control_character_does_not_make_a_file_binary() -> None:
    text = "name,phone,source\nA\x00na,06\x1f12345678,web\n" * 2
    assert "".join(lines_of(text.encode())) == text


def test_an_endless_line_is_refused_before_it_fills_the_memory() -> None:
    source = SourceThatNeverEnds(b"a")
    assert refusal(source) == (
        FailureCode.INVALID_CSV,
        "A line is longer than 4,194,304 characters: the file does not look like CSV.",
    )
    assert source.given <= LINE_LIMIT + BLOCK_SIZE
