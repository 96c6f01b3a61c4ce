"""Call S3 for the one bucket of the service: the operations that the use cases need, and no other."""

import time
from collections.abc import Callable, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile, ServiceFault
from leads.s3.reader import ObjectReader
from leads.s3.timeouts import BACKGROUND, S3Timeouts, call_until
from leads.settings import BucketSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_Result = TypeVar("_Result")

UPLOAD_LIMIT: Final = 2 * 1024**3
"""Bytes of the largest upload: twice what ten million rows take, and below S3's 5 GiB for one POST."""

UPLOAD_SECONDS: Final = 3600
"""Seconds within which a presigned upload must start (our API)."""

LINK_SECONDS: Final = 900
"""Seconds that a download link works (our API), or fewer: it ends with the function's credentials."""

CSV_TYPE: Final = "text/csv; charset=utf-8"
GZIP_TYPE: Final = "application/gzip"

_DELETED: Final = ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed")
"""S3's codes for a deleted object; the last one is its answer for the version of a delete marker."""

_DENIED: Final = "AccessDenied"
"""S3's code for an object that the caller may not read. Without the right to list the whole bucket, it is
also the code for a missing one.
"""

_NOT_STORED: Final = "S3 did not store an object"
_NO_PART: Final = "S3 did not take a part"


_REGIONAL: Final = Config(s3={"addressing_style": "virtual"})
"""Makes links and forms name the endpoint of the region. The endpoint of all regions refuses regions opened
after 2019. For hours it redirects to a new bucket, where the signature is invalid.
"""


class Bucket:
    """S3 behind the operations of the use cases; each failure of S3 is a ServiceFault."""

    _deadline: float | None = None

    def __init__(self, client: "S3Client", name: str, result_days: int | None = None) -> None:
        """Without `result_days` the results of jobs do not expire."""
        self.client = client
        self.name = name
        self.result_days = result_days

    @classmethod
    def from_settings(cls, settings: BucketSettings, timeouts: S3Timeouts = BACKGROUND) -> Self:
        """Make a bucket with a client of its own, once per process: that takes 0.1 s."""
        config = timeouts.config()
        if not settings.emulated:
            config = config.merge(_REGIONAL)
        return cls(boto3.client("s3", config=config), settings.name, settings.result_days)

    def within(self, seconds: float) -> Self:
        """Return the same bucket with a deadline, at which an unanswered call is a ServiceFault."""
        bounded = copy(self)
        bounded._deadline = time.monotonic() + seconds
        return bounded

    def put(self, key: str, body: bytes | IO[bytes], content_type: str) -> str:
        """Store a small object and return its version. Raises ServiceFault."""
        stored = self._call(
            _NOT_STORED,
            lambda: self.client.put_object(Bucket=self.name, Key=key, Body=body, ContentType=content_type),
        )
        return stored["VersionId"]

    def open(self, key: str, version: str) -> ObjectReader:
        """Open a stream of the bytes of an object's version.

        Raises:
            FileNotFoundError: The version was deleted.
            ServiceFault: S3 did not return it.
        """
        try:
            answer = self._call(
                "S3 did not give an object",
                lambda: self.client.get_object(Bucket=self.name, Key=key, VersionId=version),
            )
        except ServiceFault as fault:
            error = fault.__cause__
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else None
            if code in _DELETED or (code == _DENIED and not self._has(key, version)):
                raise FileNotFoundError("the object is gone") from error
            raise
        return ObjectReader(answer["Body"], answer["ContentLength"])

    def _has(self, key: str, version: str) -> bool:
        """Tell whether a version is listed, which needs no right to read it. Raises ServiceFault."""

        def is_listed() -> bool:
            pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=key)
            # The versions of the key stand before those of longer keys.
            for page in pages:
                for listed in page.get("Versions", ()):
                    if listed["Key"] != key:
                        return False
                    if listed["VersionId"] == version:
                        return True
            return False

        return self._call("S3 did not list an object's versions", is_listed)

    def stored_at(self, key: str) -> datetime | None:
        """Return the UTC time at which an object was stored, or None if it does not exist.

        The object is listed, not read: that needs no right to read it. Raises ServiceFault.
        """
        # The key itself stands before longer ones.
        listed = self._call(
            "S3 did not list an object",
            lambda: self.client.list_objects_v2(Bucket=self.name, Prefix=key, MaxKeys=1),
        )
        return next((one["LastModified"] for one in listed.get("Contents", ()) if one["Key"] == key), None)

    def keeps(self, finished_at: datetime | None) -> bool:
        """Tell whether the results of a job that finished then have not expired.

        S3 deletes them at a midnight (UTC) after `result_days`, so they may exist for some hours more.
        """
        if self.result_days is None or finished_at is None:
            return True
        return datetime.now(UTC) - finished_at < timedelta(days=self.result_days)

    def delete_version(self, key: str, version: str) -> None:
        """Delete one version of an object for good; its other versions stay. Raises ServiceFault."""
        self._call(
            "S3 did not delete an object",
            lambda: self.client.delete_object(Bucket=self.name, Key=key, VersionId=version),
        )

    def start_upload(self, key: str, content_type: str) -> str:
        """Start a multipart upload and return its id. Raises ServiceFault."""
        started = self._call(
            _NO_PART,
            lambda: self.client.create_multipart_upload(Bucket=self.name, Key=key, ContentType=content_type),
        )
        return started["UploadId"]

    def upload_part(self, key: str, upload_id: str, number: int, body: IO[bytes]) -> "CompletedPartTypeDef":
        """Store a part of a multipart upload. Raises ServiceFault."""
        stored = self._call(
            _NO_PART,
            lambda: self.client.upload_part(
                Bucket=self.name, Key=key, UploadId=upload_id, PartNumber=number, Body=body
            ),
        )
        return {"ETag": stored["ETag"], "PartNumber": number}

    def complete_upload(self, key: str, upload_id: str, parts: "Sequence[CompletedPartTypeDef]") -> str:
        """Make an object of its parts and return its version. Raises ServiceFault."""
        stored = self._call(
            _NOT_STORED,
            lambda: self.client.complete_multipart_upload(
                Bucket=self.name, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
            ),
        )
        return stored["VersionId"]

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Delete the parts of a multipart upload. Raises ServiceFault."""
        self._call(
            "S3 did not abort an upload",
            lambda: self.client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload_id),
        )

    def presigned_post(self, key: str) -> tuple[str, dict[str, str]]:
        """Sign a form: return the URL and the fields of an upload to this key.

        It may start within UPLOAD_SECONDS and have from 1 byte to UPLOAD_LIMIT.
        """
        post = self.client.generate_presigned_post(
            self.name,
            key,
            Conditions=[["content-length-range", 1, UPLOAD_LIMIT]],
            ExpiresIn=UPLOAD_SECONDS,
        )
        return post["url"], post["fields"]

    def presigned_download(self, key: str, filename: str) -> str:
        """Sign a link to an object, for LINK_SECONDS, that a browser saves under this ASCII name."""
        return self.client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self.name,
                "Key": key,
                "ResponseContentDisposition": f'attachment; filename="{filename}"',
                "ResponseContentType": GZIP_TYPE if filename.endswith(".gz") else CSV_TYPE,
            },
            ExpiresIn=LINK_SECONDS,
        )

    def _call(self, failure: str, operation: Callable[[], _Result]) -> _Result:
        """Call S3, within the deadline if there is one; `failure` is the message of the ServiceFault.

        The error of botocore is its cause. Signing asks nothing of S3, so it needs no call.
        """
        try:
            return operation() if self._deadline is None else call_until(self._deadline, operation)
        except (BotoCoreError, ClientError) as error:
            raise ServiceFault(failure) from error


class SourceFile(NamedTuple):
    """One version of one object, whose rows are to be imported."""

    bucket: Bucket
    key: str
    version: str
    size: int
    """Bytes, as the event announced them: an estimate until the object is open."""

    def open(self) -> ObjectReader:
        """Open a new stream of the file's bytes; the caller closes it.

        Raises:
            InvalidFile: The version was deleted (FILE_GONE).
            ServiceFault: S3 did not return it.
        """
        try:
            return self.bucket.open(self.key, self.version)
        except FileNotFoundError as error:
            raise InvalidFile(
                FailureCode.FILE_GONE, "The file was deleted before it was imported. Send it again."
            ) from error
