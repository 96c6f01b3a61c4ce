"""S3 as it may be at its worst: stand-ins named for their malice."""

import threading
import time
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError

from leads.s3.bucket import Bucket
from leads.s3.reader import ObjectReader


class ClientThatFailsOn:
    """An S3 client of which one operation fails, from its n-th call on, for keys of one prefix."""

    def __init__(self, client: Any, operation: str, *, after: int = 0, prefix: str = "") -> None:
        self._client = client
        self._operation = operation
        self._left = after
        self._prefix = prefix
        self.failed = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return self._maybe_fail if name == self._operation else getattr(self._client, name)

    def _maybe_fail(self, **arguments: Any) -> Any:
        if not arguments["Key"].startswith(self._prefix):
            return getattr(self._client, self._operation)(**arguments)
        if self._left:
            self._left -= 1
            return getattr(self._client, self._operation)(**arguments)
        self.failed.set()
        raise ClientError({"Error": {"Code": "SlowDown"}}, self._operation)


class BucketThatHidesWhatIsGone(Bucket):
    """Says of what is not there that it may not be read, as S3 does to whom may not list the whole bucket."""

    def __init__(self, bucket: Bucket, *, hides: str = "") -> None:
        """`hides` is a key that may not be read, though it is there."""
        super().__init__(_HidingClient(bucket.client, hides), bucket.name)  # type: ignore[arg-type]


class _HidingClient:
    def __init__(self, client: Any, hides: str) -> None:
        self._client = client
        self._hides = hides

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_object(self, **arguments: Any) -> Any:
        try:
            answer = self._client.get_object(**arguments)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
                raise
        else:
            if arguments["Key"] != self._hides:
                return answer
            answer["Body"].close()
        denied: Any = {
            "Error": {"Code": "AccessDenied"},
            "ResponseMetadata": {"HTTPStatusCode": HTTPStatus.FORBIDDEN},
        }
        raise ClientError(denied, "GetObject")


class BucketThatRefuses(Bucket):
    """Stores nothing below a prefix, by whichever operation."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        client = bucket.client
        for operation in ("put_object", "create_multipart_upload"):
            client = ClientThatFailsOn(client, operation, prefix=prefix)  # type: ignore[assignment]
        super().__init__(client, bucket.name)


class BucketThatTakesItsTime(Bucket):
    """Does everything below a prefix, some seconds after it was asked for it; `asked` is set before."""

    def __init__(self, bucket: Bucket, prefix: str, seconds: float) -> None:
        self.asked = threading.Event()
        super().__init__(_SlowClient(bucket.client, self.asked, prefix, seconds), bucket.name)  # type: ignore[arg-type]


class _SlowClient:
    def __init__(self, client: Any, asked: threading.Event, prefix: str, seconds: float) -> None:
        self._client = client
        self._asked = asked
        self._prefix = prefix
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)

        def ask(*args: Any, **arguments: Any) -> Any:
            if arguments.get("Key", "").startswith(self._prefix):
                self._asked.set()
                time.sleep(self._seconds)
            return operation(*args, **arguments)

        return ask


class BucketThatNotes(Bucket):
    """Notes which operations it was asked for, with their keys."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(_NotingClient(bucket.client, self), bucket.name)  # type: ignore[arg-type]
        self.asked: list[tuple[str, str]] = []


class _NotingClient:
    def __init__(self, client: Any, notes: BucketThatNotes) -> None:
        self._client = client
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)

        def ask(*args: Any, **arguments: Any) -> Any:
            self._notes.asked.append((name, arguments.get("Key", "")))
            return operation(*args, **arguments)

        return ask


class ReaderThatStalls:
    """Gives its bytes, and its end only when it is told to."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)
        self.reached_end = threading.Event()
        self.may_end = threading.Event()

    def read(self, size: int, /) -> bytes:
        if self._content:
            part, self._content = self._content[:size], self._content[size:]
            return part
        self.reached_end.set()
        assert self.may_end.wait(20), "nobody let the file end"
        return b""

    def close(self) -> None:
        pass


class BucketThatStalls(Bucket):
    """Opens a reader that stalls, whatever is asked of it."""

    def __init__(self, bucket: Bucket, reader: ReaderThatStalls) -> None:
        super().__init__(bucket.client, bucket.name)
        self._reader = reader

    def open(self, key: str, version: str) -> ReaderThatStalls:  # type: ignore[override]
        return self._reader


class _BodyThatBreaksOff:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, amt: int | None = None) -> bytes:
        if not self._content:
            raise ConnectionResetError("the stream broke off")
        part, self._content = self._content[:amt], self._content[amt:]
        return part

    def close(self) -> None:
        pass


class BucketThatBreaksOff(Bucket):
    """Gives the beginning of a larger object, and then the connection is gone."""

    def __init__(self, bucket: Bucket, beginning: bytes, size: int) -> None:
        super().__init__(bucket.client, bucket.name)
        self._beginning = beginning
        self._size = size

    def open(self, key: str, version: str) -> ObjectReader:
        return ObjectReader(_BodyThatBreaksOff(self._beginning), self._size)
