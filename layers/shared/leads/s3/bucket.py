"""The one bucket of the service: the operations that the use cases need of it, and no other."""

import time
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from leads.errors import ServiceFault
from leads.s3.reader import ObjectReader
from leads.s3.timely_client import TimelyClient
from leads.settings import BucketSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

UPLOAD_LIMIT: Final = 2 * 1024**3
"""Bytes of the largest upload: twice what ten million rows take, and below S3's 5 GiB for one POST."""

UPLOAD_SECONDS: Final = 3600
"""How long a presigned upload may begin (our API)."""

LINK_SECONDS: Final = 900
"""How long a download link lives (our API). A function's credentials may end sooner, and the link with
them.
"""

CSV_TYPE: Final = "text/csv; charset=utf-8"
GZIP_TYPE: Final = "application/gzip"

_GONE: Final = ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed")
"""S3's codes for an object that was deleted; the last one is its answer for a delete marker's version."""

_HIDDEN: Final = "AccessDenied"
"""S3's code for what a caller may not read, and also for what is not there, unless the caller may list the
whole bucket.
"""


class S3Timeouts(NamedTuple):
    """Seconds that S3 may take to connect, and to take or give some bytes, at each of some tries."""

    connect: int
    read: int
    tries: int

    @property
    def seconds(self) -> int:
        """The longest that a silent S3 keeps a call waiting. botocore pauses for up to 1 s before the second
        try and 2 s before the third (boto3 guide, "Retries", standard mode).
        """
        return self.tries * (self.connect + self.read) + (1 << self.tries - 1) - 1

    def config(self) -> Config:
        """As botocore takes it."""
        return Config(
            signature_version="s3v4",
            connect_timeout=self.connect,
            read_timeout=self.read,
            retries={"mode": "standard", "total_max_attempts": self.tries},
        )


BACKGROUND: Final = S3Timeouts(connect=5, read=10, tries=3)
"""For who works while nobody waits: 48 s. An S3 that connects and then is silent is given up after 33 s,
before Postgres gives up a reader that takes no more rows (tcp_user_timeout, 35 s).
"""

INTERACTIVE: Final = S3Timeouts(connect=2, read=5, tries=2)
"""For who answers the API within 29 s: 15 s."""


_REGIONAL: Final = Config(s3={"addressing_style": "virtual"})
"""Or links and forms would name the endpoint of all regions: that one redirects for hours to a bucket that is
new, where a signature is good no more, and refuses regions that are opened after 2019.
"""


class Bucket:
    """S3 behind the operations of the use cases; a failure of S3's is a ServiceFault."""

    def __init__(self, client: "S3Client", name: str, result_days: int | None = None) -> None:
        """Without `result_days` its results do not expire."""
        self.client = client
        self.name = name
        self.result_days = result_days

    @classmethod
    def from_settings(cls, settings: BucketSettings, timeouts: S3Timeouts = BACKGROUND) -> Self:
        """With a client made from the environment. Make it once per process: it takes a tenth of a second."""
        config = timeouts.config()
        if not settings.emulated:
            config = config.merge(_REGIONAL)
        return cls(boto3.client("s3", config=config), settings.name, settings.result_days)

    def within(self, seconds: float) -> Self:
        """The same bucket for so many seconds: a call that S3 has not answered by then is a ServiceFault."""
        timely = copy(self)
        timely.client = cast("S3Client", TimelyClient(self.client, time.monotonic() + seconds))
        return timely

    def put(self, key: str, body: bytes | IO[bytes], content_type: str) -> str:
        """Stores a small object and gives its version. Raises ServiceFault."""
        try:
            stored = self.client.put_object(Bucket=self.name, Key=key, Body=body, ContentType=content_type)
            return stored["VersionId"]
        except (BotoCoreError, ClientError) as error:
            raise ServiceFault("S3 did not store an object") from error

    def open(self, key: str, version: str) -> ObjectReader:
        """The bytes of an object's version, streaming. Raises FileNotFoundError when it is gone,
        ServiceFault.
        """
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key, VersionId=version)
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else None
            if code in _GONE or (code == _HIDDEN and not self._holds(key, version)):
                raise FileNotFoundError("the object is gone") from error
            raise ServiceFault("S3 did not give an object") from error
        return ObjectReader(answer["Body"], answer["ContentLength"])

    def _holds(self, key: str, version: str) -> bool:
        """Whether this version is listed, be it in vain that it was asked for. Raises ServiceFault."""
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=key)
        try:
            # Its own versions come before those of all that it is the beginning of.
            for page in pages:
                for one in page.get("Versions", ()):
                    if one["Key"] != key:
                        return False
                    if one["VersionId"] == version:
                        return True
        except (BotoCoreError, ClientError) as error:
            raise ServiceFault("S3 did not list an object's versions") from error
        return False

    def stored_at(self, key: str) -> datetime | None:
        """When the object was stored, in UTC, or None when it is not there: by its listing, which needs no
        right to read it. Raises ServiceFault.
        """
        try:
            # The key itself comes before all that it is the beginning of.
            listed = self.client.list_objects_v2(Bucket=self.name, Prefix=key, MaxKeys=1)
        except (BotoCoreError, ClientError) as error:
            raise ServiceFault("S3 did not list an object") from error
        return next((one["LastModified"] for one in listed.get("Contents", ()) if one["Key"] == key), None)

    def keeps(self, finished_at: datetime | None) -> bool:
        """Whether what a job made is still there, or may be: it expires after some days, at a midnight."""
        if self.result_days is None or finished_at is None:
            return True
        return datetime.now(UTC) - finished_at < timedelta(days=self.result_days)

    def delete_version(self, key: str, version: str) -> None:
        """Takes one version of an object away for good; another one stays. Raises ServiceFault."""
        try:
            self.client.delete_object(Bucket=self.name, Key=key, VersionId=version)
        except (BotoCoreError, ClientError) as error:
            raise ServiceFault("S3 did not delete an object") from error

    def presigned_post(self, key: str) -> tuple[str, dict[str, str]]:
        """URL and form fields of an upload bound to this key, a size from 1 byte to UPLOAD_LIMIT, and an
        hour.
        """
        post = self.client.generate_presigned_post(
            self.name,
            key,
            Conditions=[["content-length-range", 1, UPLOAD_LIMIT]],
            ExpiresIn=UPLOAD_SECONDS,
        )
        return post["url"], post["fields"]

    def presigned_download(self, key: str, filename: str) -> str:
        """A link to an object, for LINK_SECONDS, that a browser saves under this ASCII name."""
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
