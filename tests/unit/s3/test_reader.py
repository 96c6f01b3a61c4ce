"""A stream that breaks off is an error, never a shorter file."""

import io

import pytest
from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError

from leads.errors import ServiceFault
from leads.s3.reader import ObjectReader


class BodyThatBreaksOff:
    """Returns some bytes, then fails like a lost connection."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self._rest = [b"name,phone", b",source\n"]

    def read(self, amt: int | None = None) -> bytes:
        if self._rest:
            return self._rest.pop(0)
        raise self._error

    def close(self) -> None:
        pass


def test_bytes_are_returned_as_asked_for() -> None:
    reader = ObjectReader(io.BytesIO(b"name,phone"), size=10)
    assert [reader.read(4), reader.read(100), reader.read(1)] == [b"name", b",phone", b""]
    # The size of the whole object, by which the import chooses the reader process.
    assert reader.size == 10


@pytest.mark.parametrize(
    "error",
    [
        IncompleteReadError(actual_bytes=10, expected_bytes=20),
        ReadTimeoutError(endpoint_url="https://s3.example"),
        ResponseStreamingError(error="reset"),
        ConnectionResetError("reset"),
        # The broken pipe of the reader process is another error.
        BrokenPipeError("closed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_stream_that_breaks_off_is_a_service_fault(error: Exception) -> None:
    reader = ObjectReader(BodyThatBreaksOff(error), size=100)
    assert reader.read(10) + reader.read(10) == b"name,phone,source\n"
    with pytest.raises(ServiceFault, match=r"^S3 broke off while giving an object$") as caught:
        reader.read(10)
    assert caught.value.__cause__ is error
