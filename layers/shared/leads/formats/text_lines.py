"""An import's bytes as lines of text, block by block: which encoding they are in, and what is no text at all.

Policy: UTF-8 with or without a byte order mark, UTF-16 with one, else Windows-1252 when the first bytes past
ASCII are not UTF-8. A file that starts as UTF-8 and then is not is refused with the offset. Lines end with
LF, CR or CRLF, mixed as they come, and keep their ends.
"""

import codecs
import io
from collections.abc import Iterator
from itertools import chain
from typing import Final, Protocol

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile

BLOCK_SIZE: Final = 256 * 1024
"""Bytes read at once: large enough that the work per block vanishes, small enough to keep memory flat."""

LINE_LIMIT: Final = 4 * 1024 * 1024
"""Characters in one line: four times the million of the longest cell that we promise to read, and a bound on
memory.
"""

_NOT_TEXT: Final = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    # One layer of it is read (compression.py), so this is what the layer holds.
    (b"\x1f\x8b", "gzip-compressed twice"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
# C0 controls that text has no use for. NUL stays out: a stray one is its row's fault, not the file's.
_CONTROLS: Final = bytes(code for code in range(1, 32) if code not in b"\t\n\v\f\r\x1a\x1b")
_CONTROL_SHARE: Final = 0.02
_STRAY_CONTROLS: Final = 8
"""So few are an accident in a small file, however large their share."""


class ByteSource(Protocol):
    """What an import reads from: an S3 object's body, an open file."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b'' at the end."""
        ...


class TooMuchText(Exception):
    """More was read than Lines.limit allows."""


class Lines:
    """The lines of a source, their ends and a byte order mark kept, read block by block when asked for.

    Iterating raises InvalidFile for an empty file, a binary one, bytes that no rule of the policy reads, and
    an endless line; and TooMuchText.
    """

    def __init__(self, source: ByteSource) -> None:
        self.characters = 0
        """How many were read so far."""
        self.limit: int | None = None
        """How many may be read, to a block."""
        # An iterator of C's, which takes no call for each line.
        self._lines = chain.from_iterable(_line_blocks(self._counted(_text_blocks(source))))

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _counted(self, blocks: Iterator[str]) -> Iterator[str]:
        for block in blocks:
            self.characters += len(block)
            if self.limit is not None and self.characters > self.limit:
                raise TooMuchText
            yield block


def _text_blocks(source: ByteSource) -> Iterator[str]:
    first = read_fully(source, BLOCK_SIZE)
    if not first:
        raise InvalidFile(FailureCode.EMPTY_FILE, "The file is empty. Send a CSV file with a header line.")
    _refuse_binary(first)
    decoder = _decoder_by_mark(first)
    block, offset = first, 0
    while block:
        if decoder is None and not block.isascii():
            block, decoder = _decoder_by_content(block, source)
        yield block.decode("ascii") if decoder is None else _decode(decoder, block, offset)
        offset += len(block)
        block = read_fully(source, BLOCK_SIZE)
    if decoder is not None:
        yield _decode(decoder, b"", offset, final=True)


def read_fully(source: ByteSource, size: int) -> bytes:
    """Return `size` bytes, or fewer only at the end: a source may return fewer than asked for."""
    parts = []
    while size and (part := source.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _refuse_binary(first: bytes) -> None:
    for magic, what in _NOT_TEXT:
        if first.startswith(magic):
            raise InvalidFile(
                FailureCode.UNSUPPORTED_FILE,
                f"The file is {what}, not CSV. Save it as CSV (UTF-8) and send that.",
            )
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    controls = len(first) - len(first.translate(None, _CONTROLS))
    if controls > max(_STRAY_CONTROLS, len(first) * _CONTROL_SHARE) or first.count(0) > len(first) * 0.2:
        raise InvalidFile(
            FailureCode.UNSUPPORTED_FILE,
            "The file is binary, not CSV text. Save it as CSV (UTF-8) and send that.",
        )


def _decoder_by_mark(first: bytes) -> codecs.IncrementalDecoder | None:
    """The decoder that a byte order mark asks for, if there is one."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if first.startswith(mark):
            return codecs.getincrementaldecoder(encoding)()
    return None


def _decoder_by_content(block: bytes, source: ByteSource) -> tuple[bytes, codecs.IncrementalDecoder]:
    """UTF-8 when the first character past ASCII is a whole one of it, else Windows-1252.

    Also the block, longer where that character may run over its end.
    """
    start = next(index for index, byte in enumerate(block) if byte > 127)
    if len(block) - start < 4:
        block += read_fully(source, 4)
    character = block[start : start + 4]
    encoding = "utf-8" if any(_is_utf8(character[:length]) for length in (2, 3, 4)) else "cp1252"
    return block, codecs.getincrementaldecoder(encoding)()


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _decode(decoder: codecs.IncrementalDecoder, block: bytes, offset: int, *, final: bool = False) -> str:
    pending = len(decoder.getstate()[0])
    try:
        return decoder.decode(block, final)
    except UnicodeDecodeError as error:
        at = offset - pending + error.start
        raise InvalidFile(
            FailureCode.INVALID_ENCODING,
            f"The file begins as {_NAMES[error.encoding]}, but the byte at offset {at:,} is not. "
            "Save it as CSV UTF-8 and send it again.",
        ) from error


_NAMES: Final = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "charmap": "Windows-1252",
}


def _line_blocks(blocks: Iterator[str]) -> Iterator[list[str]]:
    """Whole lines of each block; what a block leaves unfinished waits for the next one."""
    parts: list[str] = []
    waiting = 0
    for block in blocks:
        if "\n" not in block and "\r" not in block:
            parts.append(block)
            waiting += len(block)
            if waiting > LINE_LIMIT:
                raise InvalidFile(
                    FailureCode.INVALID_CSV,
                    f"A line is longer than {LINE_LIMIT:,} characters: the file does not look like CSV.",
                )
            continue
        parts.append(block)
        lines = io.StringIO("".join(parts), newline="").readlines()
        # The last line may go on, and a last CR may be the half of a CRLF.
        parts = [lines.pop()] if not lines[-1].endswith("\n") else []
        waiting = sum(map(len, parts))
        yield lines
    if parts:
        yield io.StringIO("".join(parts), newline="").readlines()
