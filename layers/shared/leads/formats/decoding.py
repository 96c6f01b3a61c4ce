"""Decode the bytes of an import into blocks of text, and refuse what is no text.

The encoding is UTF-8 with or without a byte order mark, or UTF-16 with one. Without a mark it is Windows-1252
if the first bytes beyond ASCII are not UTF-8. A file that starts as UTF-8 and then is not is refused with the
offset: to read the rest as Windows-1252 would store wrong names.
"""

import codecs
from collections.abc import Iterator
from typing import Final, Protocol

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile

BLOCK_BYTES: Final = 256 * 1024
"""Bytes read at once. The fixed work of a block costs more below, and memory grows above."""

_NOT_TEXT: Final = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    # compression.py expands one layer of a file, so this is a second one.
    (b"\x1f\x8b", "gzip-compressed twice"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
"""The first bytes of other kinds of files."""

_CONTROLS: Final = bytes(code for code in range(1, 32) if code not in b"\t\n\v\f\r\x1a\x1b")
"""C0 controls that text does not use. NUL is not among them: a single one is a fault of its row."""

_MAX_CONTROL_SHARE: Final = 0.02
_MAX_NUL_SHARE: Final = 0.2
"""UTF-16 without a byte order mark, which no rule reads, has a NUL in nearly every second byte."""

_STRAY_CONTROLS: Final = 8
"""Controls that are no sign of a binary file, however large their share of a small one is."""

_MAX_CHARACTER_BYTES: Final = 4
"""The longest character of UTF-8."""

_NAMES: Final = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "charmap": "Windows-1252",
}
"""The encodings as messages name them, by the names in UnicodeDecodeError."""


class ByteSource(Protocol):
    """Bytes that an import reads: an S3 object's body, an open file."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; b'' at the end."""
        ...


def decode(source: ByteSource) -> Iterator[str]:
    """Yield the text of a source block by block; a byte order mark is its first character.

    Raises:
        InvalidFile: The file is empty or binary, or has bytes that are not of its encoding.
    """
    first = read_fully(source, BLOCK_BYTES)
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
        block = read_fully(source, BLOCK_BYTES)
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
    for magic, kind in _NOT_TEXT:
        if first.startswith(magic):
            raise InvalidFile(
                FailureCode.UNSUPPORTED_FILE,
                f"The file is {kind}, not CSV. Save it as CSV (UTF-8) and send that.",
            )
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    controls = len(first) - len(first.translate(None, _CONTROLS))
    max_controls = max(_STRAY_CONTROLS, len(first) * _MAX_CONTROL_SHARE)
    if controls > max_controls or first.count(0) > len(first) * _MAX_NUL_SHARE:
        raise InvalidFile(
            FailureCode.UNSUPPORTED_FILE,
            "The file is binary, not CSV text. Save it as CSV (UTF-8) and send that.",
        )


def _decoder_by_mark(first: bytes) -> codecs.IncrementalDecoder | None:
    """Return the decoder that a byte order mark asks for, if there is one."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if first.startswith(mark):
            return codecs.getincrementaldecoder(encoding)()
    return None


def _decoder_by_content(block: bytes, source: ByteSource) -> tuple[bytes, codecs.IncrementalDecoder]:
    """Choose UTF-8 if the first character beyond ASCII is a whole one of it, else Windows-1252.

    Also return the block, which is longer if that character may continue behind its end.
    """
    start = next(index for index, byte in enumerate(block) if byte > 127)
    if len(block) - start < _MAX_CHARACTER_BYTES:
        block += read_fully(source, _MAX_CHARACTER_BYTES)
    character = block[start : start + _MAX_CHARACTER_BYTES]
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
        name = _NAMES[error.encoding]
        raise InvalidFile(
            FailureCode.INVALID_ENCODING,
            f"The file starts as {name}, but the byte at offset {at:,} is not valid {name}. "
            "Save it as CSV (UTF-8) and send that.",
        ) from error
