"""The multipart writer: whole or not there, whatever fails. The fakes are named for their malice."""

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from leads.errors import ServiceFault
from leads.s3.bucket import Bucket
from leads.s3.multipart_writer import PART_SIZE, PARTS_ALIVE, MultipartWriter
from tests.support.service import Caller, Service


class ClientThatFailsOn:
    """An S3 client of which one operation fails, from its n-th call on."""

    def __init__(self, client: Any, operation: str, *, after: int = 0) -> None:
        self._client = client
        self._operation = operation
        self._left = after

    def __getattr__(self, name: str) -> Any:
        if name != self._operation:
            return getattr(self._client, name)
        if self._left:
            self._left -= 1
            return getattr(self._client, name)
        return self._fail

    def _fail(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown"}}, self._operation)


class ClientThatCountsParts:
    """An S3 client that notes how many parts are under way at once."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()
        self.under_way = self.most = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def upload_part(self, **arguments: Any) -> Any:
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            return self._client.upload_part(**arguments)
        finally:
            with self._lock:
                self.under_way -= 1


def pending_uploads(service: Service, key: str) -> list[str]:
    listed = service.s3.client.list_multipart_uploads(Bucket=service.bucket, Prefix=key)
    return [upload["Key"] for upload in listed.get("Uploads", [])]


@pytest.mark.parametrize("size", [0, 1, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 3 * PART_SIZE + 7])
def test_object_is_what_was_written(service: Service, caller: Caller, size: int) -> None:
    key = f"exports/{caller.org}/x"
    content = bytes(range(256)) * (size // 256 + 1)
    with MultipartWriter(service.leads_bucket, key, "text/csv") as writer:
        for start in range(0, size, 700_001):
            writer.write(content[start : min(start + 700_001, size)])
        writer.close()
    assert service.s3.client.get_object(Bucket=service.bucket, Key=key)["Body"].read() == content[:size]
    assert writer.size == size


@pytest.mark.parametrize(
    ("operation", "after", "size"),
    [
        ("put_object", 0, 10),
        ("create_multipart_upload", 0, PART_SIZE),
        ("upload_part", 0, 4 * PART_SIZE),
        ("upload_part", 2, 4 * PART_SIZE),
        ("complete_multipart_upload", 0, 2 * PART_SIZE),
    ],
)
def test_failure_leaves_neither_object_nor_parts(
    service: Service, caller: Caller, operation: str, after: int, size: int
) -> None:
    key = f"exports/{caller.org}/x"
    bucket = Bucket(ClientThatFailsOn(service.s3.client, operation, after=after), service.bucket)  # type: ignore[arg-type]
    with pytest.raises(ServiceFault), MultipartWriter(bucket, key, "text/csv") as writer:
        writer.write(b"x" * size)
        writer.close()
    assert service.keys(key) == []
    assert pending_uploads(service, key) == []


def test_leaving_without_close_leaves_nothing(service: Service, caller: Caller) -> None:
    key = f"exports/{caller.org}/x"
    with MultipartWriter(service.leads_bucket, key, "text/csv") as writer:
        writer.write(b"x" * (2 * PART_SIZE))
    assert service.keys(key) == []
    assert pending_uploads(service, key) == []


def test_no_more_parts_live_than_promised(service: Service, caller: Caller) -> None:
    client = ClientThatCountsParts(service.s3.client)
    with MultipartWriter(Bucket(client, service.bucket), f"exports/{caller.org}/x", "text/csv") as writer:  # type: ignore[arg-type]
        for _ in range(8):
            writer.write(b"x" * PART_SIZE)
        writer.close()
    assert client.most <= PARTS_ALIVE - 1
