"""Frame the messages between an import and its reader process.

A frame is eight bytes of length, then a pickle.
"""

import pickle
from typing import Final, NamedTuple, Protocol

from leads.domain.failure_code import FailureCode

_LENGTH_BYTES: Final = 8

_MAX_FRAME_BYTES: Final = 1024**3
"""Far more than a batch of the longest rows. A larger length is text that was taken for one."""


class ReadEnd(NamedTuple):
    """The last answer: the file ended, was refused, or the program failed."""

    refusal: tuple[FailureCode, str] | None = None
    """Code and reason of an InvalidFile."""
    crash: str | None = None
    """Type and place of a fault of the program itself, without its text, which may hold a cell."""


class _Pipe(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer or less, and return the number of bytes; 0 at the end."""
        ...


def frame(message: object) -> tuple[bytes, bytes]:
    """Return a message as the two parts of a frame, which are written one after the other."""
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(_LENGTH_BYTES, "big"), content


def read_frame(pipe: _Pipe) -> object:
    """Return the next message, which a process of our own has sent.

    Raises:
        EOFError: The pipe ended.
        pickle.UnpicklingError: The bytes are no frame.
    """
    size = int.from_bytes(_read_exactly(pipe, _LENGTH_BYTES), "big")
    if size > _MAX_FRAME_BYTES:
        raise pickle.UnpicklingError("these bytes are no frame")
    message: object = pickle.loads(_read_exactly(pipe, size))  # noqa: S301
    return message


def _read_exactly(pipe: _Pipe, size: int) -> bytearray:
    content = bytearray(size)
    missing = memoryview(content)
    while missing:
        count = pipe.readinto(missing)
        if not count:
            raise EOFError("the pipe ended within a frame")
        missing = missing[count:]
    return content
