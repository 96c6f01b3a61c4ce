"""Reads an object as it streams in; a stream that breaks off is an error, never a shorter file."""

from typing import Protocol

from botocore.exceptions import BotoCoreError

from leads.errors import ServiceFault


class _Body(Protocol):
    """botocore's StreamingBody."""

    def read(self, amt: int | None = None) -> bytes: ...

    def close(self) -> None: ...


class ObjectReader:
    """The bytes of one object. botocore checks that as many arrive as S3 announced."""

    def __init__(self, body: _Body, size: int) -> None:
        self._body = body
        self.size = size
        """Bytes of the whole object."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; b'' at the end. Raises ServiceFault when the stream breaks off."""
        try:
            return self._body.read(size)
        except (BotoCoreError, OSError) as error:
            raise ServiceFault("S3 broke off while giving an object") from error

    def close(self) -> None:
        """Ends the stream, of which not everything may have been read: its connection would stay until
        garbage is collected.
        """
        self._body.close()
