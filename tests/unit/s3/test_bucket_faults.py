"""Every failure of S3, and an answer that comes too late, is a ServiceFault with its cause chained."""

import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from leads.errors import ServiceFault
from leads.s3.bucket import Bucket
from leads.s3.timeouts import OutOfTime

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = cast(IO[bytes], None)


class ClientThatAlways:
    """An S3 client of which each operation does the same thing."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self._do()


def bucket_that(do: Callable[[], object]) -> Bucket:
    return Bucket(cast("S3Client", ClientThatAlways(do)), "bucket")


def fail_with(error: Exception) -> Bucket:
    def fail() -> None:
        raise error

    return bucket_that(fail)


@pytest.mark.parametrize("error", [ClientError({"Error": {"Code": "SlowDown"}}, "X"), BotoCoreError()])
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda bucket: bucket.put("k", b"", "text/csv"), "S3 did not store an object"),
        (lambda bucket: bucket.open("k", "v"), "S3 did not give an object"),
        (lambda bucket: bucket.stored_at("k"), "S3 did not list an object"),
        (lambda bucket: bucket.delete_version("k", "v"), "S3 did not delete an object"),
        (lambda bucket: bucket.start_upload("k", "text/csv"), "S3 did not take a part"),
        (lambda bucket: bucket.upload_part("k", "u", 1, PART), "S3 did not take a part"),
        (lambda bucket: bucket.complete_upload("k", "u", []), "S3 did not store an object"),
        (lambda bucket: bucket.abort_upload("k", "u"), "S3 did not abort an upload"),
    ],
)
@pytest.mark.parametrize("seconds", [None, 60])
def test_failure_of_s3_is_a_service_fault(
    call: Callable[[Bucket], object], message: str, error: Exception, seconds: float | None
) -> None:
    bucket = fail_with(error)
    with pytest.raises(ServiceFault) as caught:
        call(bucket if seconds is None else bucket.within(seconds))
    assert str(caught.value) == message
    assert caught.value.__cause__ is error


def test_open_of_a_deleted_version_is_file_not_found() -> None:
    error = ClientError({"Error": {"Code": "NoSuchVersion"}}, "GetObject")
    with pytest.raises(FileNotFoundError) as caught:
        fail_with(error).open("k", "v")
    assert caught.value.__cause__ is error


def test_open_that_is_denied_and_not_listed_is_a_fault() -> None:
    with pytest.raises(ServiceFault, match=r"^S3 did not list an object's versions$"):
        fail_with(ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")).open("k", "v")


def test_answer_before_the_deadline_is_returned() -> None:
    assert bucket_that(lambda: {"VersionId": "7"}).within(60).put("k", b"", "text/csv") == "7"


def test_answer_after_the_deadline_is_a_service_fault() -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def answer() -> dict[str, str]:
        asked.set()
        assert may_answer.wait(20)
        return {"VersionId": "7"}

    bucket = bucket_that(answer).within(0.1)
    try:
        started = time.monotonic()
        with pytest.raises(ServiceFault, match=r"^S3 did not store an object$") as caught:
            bucket.put("k", b"", "text/csv")
        assert 0.1 <= time.monotonic() - started < 5
    finally:
        may_answer.set()
    assert isinstance(caught.value.__cause__, OutOfTime)

    asked.clear()
    with pytest.raises(ServiceFault) as caught:
        bucket.delete_version("k", "v")
    assert isinstance(caught.value.__cause__, OutOfTime)
    assert not asked.is_set(), "S3 was asked after the deadline"


def test_deadline_is_only_of_the_bucket_within_it() -> None:
    bucket = bucket_that(lambda: {"VersionId": "7"})
    assert bucket.within(-1).name == bucket.name
    assert bucket.put("k", b"", "text/csv") == "7"


def test_signing_needs_no_time() -> None:
    bucket = bucket_that(lambda: {"url": "https://s3.example", "fields": {}}).within(-1)
    assert bucket.presigned_post("k") == ("https://s3.example", {})


def test_read_that_times_out_is_not_the_deadline() -> None:
    error = ReadTimeoutError(endpoint_url="https://s3.example")
    with pytest.raises(ServiceFault) as caught:
        fail_with(error).within(60).put("k", b"", "text/csv")
    assert caught.value.__cause__ is error
