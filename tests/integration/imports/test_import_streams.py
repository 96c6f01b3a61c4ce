"""Close each stream that an import opens: a warm function runs thousands of imports."""

from typing import Any

import pytest

from leads.errors import DatabaseFault
from leads.import_engine import import_file, organisation_lock
from leads.import_engine.sizes import Sizes
from leads.jobs.outcome import COMPLETED
from leads.s3.bucket import Bucket
from leads.s3.reader import ObjectReader
from tests.support.imports import run_import, uploaded
from tests.support.service import Caller, Service


class _BodyThatTellsItsEnd:
    def __init__(self, body: Any) -> None:
        self._body = body
        self.closed = False

    def read(self, amt: int | None = None) -> bytes:
        return bytes(self._body.read(amt))

    def close(self) -> None:
        self.closed = True
        self._body.close()


class BucketThatRemembers(Bucket):
    """A bucket that records the streams it opened."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket.client, bucket.name)
        self.bodies: list[_BodyThatTellsItsEnd] = []

    def open(self, key: str, version: str) -> ObjectReader:
        reader = super().open(key, version)
        self.bodies.append(_BodyThatTellsItsEnd(reader._body))
        return ObjectReader(self.bodies[-1], reader.size)


@pytest.mark.parametrize("apart_bytes", [0, 2**40], ids=["in another process", "in this process"])
@pytest.mark.parametrize(
    ("content", "ended"),
    [
        ("name,phone,source\nAna,06,web\n", COMPLETED),
        ("name,source\n" + "Ana,web\n" * 500_000, "INVALID_HEADER"),
        ('name,phone,source\nAna,06,web\nBo,07,"web\n', "INVALID_CSV"),
    ],
    ids=["imported", "refused at once", "refused at its end"],
)
def test_stream_of_a_file_is_closed(
    service: Service, caller: Caller, content: str, ended: str, apart_bytes: int
) -> None:
    bucket = BucketThatRemembers(service.bucket_of("process_import"))
    file = uploaded(service, caller, content.encode())
    assert run_import(service, file, Sizes(reader_process_bytes=apart_bytes), bucket=bucket).ended == ended
    assert [body.closed for body in bucket.bodies] == [True]


def test_stream_is_closed_before_waiting_for_the_lock(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_file, "try_lock", lambda *_: False)
    bucket = BucketThatRemembers(service.bucket_of("process_import"))

    def wait(*_: object) -> None:
        assert [body.closed for body in bucket.bodies] == [True]

    monkeypatch.setattr(organisation_lock, "wait_for_lock", wait)
    file = uploaded(service, caller, b"name,phone,source\nAna,06,web\n")
    assert run_import(service, file, bucket=bucket).ended == COMPLETED
    assert [body.closed for body in bucket.bodies] == [True, True]


def test_stream_is_closed_when_the_lock_query_fails(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise DatabaseFault("57014", "broken")

    monkeypatch.setattr(import_file, "try_lock", fail)
    bucket = BucketThatRemembers(service.bucket_of("process_import"))
    file = uploaded(service, caller, b"name,phone,source\nAna,06,web\n")
    with pytest.raises(DatabaseFault):
        run_import(service, file, bucket=bucket)
    assert bucket.bodies
    assert all(body.closed for body in bucket.bodies)
