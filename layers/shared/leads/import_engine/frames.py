"""Frame the messages between an import and its reader process.

A frame is eight bytes of length, then a pickle.
"""

import pickle
from typing import Final, NamedTuple, Protocol

from leads.domain.failure_code import FailureCode

_LENGTH_BYTES: Final = 8


class ReadEnd(NamedTuple):
    """The last answer: the file ended, was refused, or the program failed."""

    refusal: tuple[FailureCode, str] | None = None
    """Code and reason of an InvalidFile."""
    crash: str | None = None
    """Type and place of a fault of the program itself, without its text, which may hold a cell."""


class _Pipe(Protocol):
    def read(self, size: int, /) -> bytes | None:
        """Return at most `size` bytes; b'' at the end."""
        ...


def frame(message: object) -> bytes:
    """Return a message as a frame."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(_LENGTH_BYTES, "big") + content


def read_frame(pipe: _Pipe) -> object:
    """Return the next message. The other end is a process of our own. Raises EOFError if there is none."""
    size = int.from_bytes(_read_exactly(pipe, _LENGTH_BYTES), "big")
    message: object = pickle.loads(_read_exactly(pipe, size))  # noqa: S301
    return message


def _read_exactly(pipe: _Pipe, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = pipe.read(size)
        if not part:
            raise EOFError("the pipe ended within a frame")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
