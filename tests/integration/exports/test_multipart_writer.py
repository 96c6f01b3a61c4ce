"""Write multipart objects: complete or absent, whatever fails.

The fakes are named for the fault that they cause.
"""

import threading
from typing import Any

import pytest

from leads.errors import ServiceFault
from leads.s3.bucket import Bucket
from leads.s3.multipart_writer import PART_SIZE, PARTS_ALIVE, MultipartWriter
from tests.support.hostile_s3 import ClientThatFailsOn
from tests.support.imports import pending_uploads
from tests.support.service import Caller, Service


class ClientThatHoldsParts:
    """An S3 client that accepts parts, and returns from none before it is released."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.let_go = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def upload_part(self, **arguments: Any) -> Any:
        assert self.let_go.wait(20)
        return self._client.upload_part(**arguments)


@pytest.mark.parametrize("size", [0, 1, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 3 * PART_SIZE + 7])
def test_multipart_object_has_the_written_bytes(service: Service, caller: Caller, size: int) -> None:
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
@pytest.mark.fault("a part upload fails")
def test_failed_multipart_upload_leaves_nothing(
    service: Service, caller: Caller, operation: str, after: int, size: int
) -> None:
    key = f"exports/{caller.org}/x"
    bucket = Bucket(ClientThatFailsOn(service.s3.client, operation, after=after), service.bucket)  # type: ignore[arg-type]

    def write() -> None:
        with MultipartWriter(bucket, key, "text/csv") as writer:
            for start in range(0, size, PART_SIZE):
                writer.write(b"x" * min(PART_SIZE, size - start))
            writer.close()

    with pytest.raises(ServiceFault):
        write()
    assert service.keys(key) == []
    assert pending_uploads(service, key) == []


def test_unclosed_multipart_upload_leaves_nothing(service: Service, caller: Caller) -> None:
    key = f"exports/{caller.org}/x"
    with MultipartWriter(service.leads_bucket, key, "text/csv") as writer:
        writer.write(b"x" * (2 * PART_SIZE))
    assert service.keys(key) == []
    assert pending_uploads(service, key) == []


def test_multipart_parts_in_memory_are_bounded(service: Service, caller: Caller) -> None:
    client = ClientThatHoldsParts(service.s3.client)
    writer = MultipartWriter(Bucket(client, service.bucket), f"exports/{caller.org}/x", "text/csv")  # type: ignore[arg-type]

    def write() -> None:
        with writer:
            for _ in range(8):
                writer.write(b"x" * PART_SIZE)
            writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join(1)
    taken = writer.size
    client.let_go.set()
    thread.join()
    assert taken <= PARTS_ALIVE * PART_SIZE
    assert writer.size == 8 * PART_SIZE
