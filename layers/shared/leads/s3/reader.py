"""Read an object as it streams in; a stream that breaks off is an error, never a shorter file."""

from typing import Protocol

from botocore.exceptions import BotoCoreError

from leads.errors import ServiceFault


class _Body(Protocol):
    """botocore's StreamingBody."""

    def read(self, amt: int | None = None) -> bytes:
        """Return at most `amt` bytes; b'' at the end."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class ObjectReader:
    """Read the bytes of one object. botocore checks that as many arrive as S3 announced."""

    def __init__(self, body: _Body, size: int) -> None:
        self._body = body
        self.size = size
        """Bytes of the whole object."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; b'' at the end. Raises ServiceFault when the stream breaks off."""
        try:
            return self._body.read(size)
        except (BotoCoreError, OSError) as error:
            raise ServiceFault("S3 broke off while giving an object") from error

    def close(self) -> None:
        """End the stream. An unread one keeps its connection until it is garbage-collected."""
        self._body.close()
