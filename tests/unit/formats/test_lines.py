"""Lines end where they should and may not be endless, wherever the blocks end."""

import io
from collections.abc import Iterator
from itertools import repeat
from operator import length_hint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.formats.lines import LINE_LIMIT, Lines, TooMuchText


def blocks_of(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(0, len(text), size))


def lines_of(text: str, size: int = 1000) -> list[str]:
    return list(Lines(blocks_of(text, size)))


def test_lines_end_with_lf_cr_and_crlf_and_keep_them() -> None:
    assert lines_of("a\nb\rc\r\nd\n\re\r\r\nf") == ["a\n", "b\r", "c\r\n", "d\n", "\r", "e\r", "\r\n", "f"]


def test_no_other_character_ends_a_line() -> None:
    line = "a\vb\fc\x1cd\x85e\u2028f\u2029g\n"
    assert lines_of(line) == [line]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("cut", range(4))
def test_line_end_may_span_blocks(end: str, cut: int) -> None:
    line = "a" * (1000 - cut) + end
    assert lines_of(f"{line}b{end}") == [line, f"b{end}"]
    assert lines_of(line) == [line]


@given(st.text(st.sampled_from('ab;"\n\r é\u2028😀')), st.integers(1, 9))
def test_lines_do_not_depend_on_blocks(text: str, size: int) -> None:
    assert lines_of(text, size) == io.StringIO(text, newline="").readlines()


def test_line_may_be_longer_than_a_block() -> None:
    lines = ["a" * 1_000_000 + "\n", "b\n"]
    assert lines_of("".join(lines)) == lines


def test_endless_line_is_refused_before_it_fills_memory() -> None:
    blocks = repeat("a" * 1024, 10 * LINE_LIMIT // 1024)
    with pytest.raises(InvalidFile) as caught:
        list(Lines(blocks))
    assert caught.value.code is FailureCode.INVALID_CSV
    assert str(caught.value) == (
        "A line is longer than 4,194,304 characters, so the file does not look like CSV. "
        "Save it as CSV (UTF-8) and send that."
    )
    assert length_hint(blocks) == 9 * LINE_LIMIT // 1024 - 1


def test_text_beyond_the_limit_is_not_read() -> None:
    lines = Lines(repeat("a\n"))
    lines.limit = 6
    found = iter(lines)
    assert [next(found) for _ in range(3)] == ["a\n"] * 3
    assert lines.characters == 6
    with pytest.raises(TooMuchText):
        next(found)
