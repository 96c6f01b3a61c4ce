"""A source file opens its own version, and a deleted one is the file's fault, not the service's."""

import io

import pytest

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile, ServiceFault
from leads.s3.bucket import Bucket, SourceFile
from leads.s3.reader import ObjectReader

KEY = "imports/acme/7/upload.csv"


class BucketWithOneFile(Bucket):
    """Returns or raises the same thing for the one file that it has."""

    def __init__(self, result: ObjectReader | Exception) -> None:
        self._result = result

    def open(self, key: str, version: str) -> ObjectReader:
        assert (key, version) == (KEY, "v1")
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


def test_open_returns_the_reader_of_its_version() -> None:
    reader = ObjectReader(io.BytesIO(b"name"), size=4)
    assert SourceFile(BucketWithOneFile(reader), KEY, "v1", size=0).open() is reader


def test_open_of_a_deleted_version_is_the_files_fault() -> None:
    gone = FileNotFoundError("the object is gone")
    with pytest.raises(InvalidFile, match=r"^The file was deleted before it was imported\. ") as caught:
        SourceFile(BucketWithOneFile(gone), KEY, "v1", size=4).open()
    assert caught.value.code is FailureCode.FILE_GONE
    assert caught.value.__cause__ is gone


def test_open_without_an_answer_of_s3_stays_a_service_fault() -> None:
    fault = ServiceFault("S3 did not give an object")
    with pytest.raises(ServiceFault) as caught:
        SourceFile(BucketWithOneFile(fault), KEY, "v1", size=4).open()
    assert caught.value is fault
