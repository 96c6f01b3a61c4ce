"""Writes an object of unknown size as it grows: nothing is there until `close`, and nothing is left by
`abort`.

Parts upload in the background while the next one fills. What fits in one part is put at once, without a
multipart upload.
"""

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import IO, TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from leads.errors import ServiceFault
from leads.s3.bucket import Bucket

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_SIZE: Final = 5 * 1024 * 1024
"""Bytes of a part: the least that S3 allows of all but the last (S3 multipart upload limits)."""

PARTS_ALIVE: Final = 3
"""Parts in memory at once: one fills while two upload."""

PARTS_LIMIT: Final = 10_000
"""Parts of one upload (S3 multipart upload limits): 48 GiB of 5 MiB parts."""


class MultipartWriter:
    """A sink for bytes. Use it as a context manager: it aborts unless `close` was called.

    `new_part` makes what a part waits in: memory, or a file that goes when it is closed.
    """

    def __init__(
        self, bucket: Bucket, key: str, content_type: str, new_part: Callable[[], IO[bytes]] = io.BytesIO
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._content_type = content_type
        self._new_part = new_part
        self._part = new_part()
        self._parts: list[IO[bytes]] = []
        self._upload_id: str | None = None
        self._uploads: list[Future[CompletedPartTypeDef]] = []
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False
        self.size = 0

    def __enter__(self) -> "MultipartWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._closed:
            # What went wrong first must be told, not that S3 kept some parts of it.
            with suppress(ServiceFault) if kind is not None else nullcontext():
                self.abort()

    def write(self, data: bytes) -> None:
        """Takes some bytes; waits when as many parts as may be alive are uploading. Raises ServiceFault."""
        self._part.write(data)
        self.size += len(data)
        # Parts need not be of one size, and to cut one off would copy it.
        if self._part.tell() >= PART_SIZE:
            self._begin_part()

    def close(self) -> str:
        """Makes the object appear, whole, and gives its version. Raises ServiceFault: then nothing is
        there.
        """
        try:
            if self._upload_id is None:
                self._part.seek(0)
                version = self._bucket.put(self._key, self._part, self._content_type)
            else:
                if self._part.tell():
                    self._begin_part()
                parts = [upload.result() for upload in self._uploads]
                version = self._bucket.client.complete_multipart_upload(
                    Bucket=self._bucket.name,
                    Key=self._key,
                    UploadId=self._upload_id,
                    MultipartUpload={"Parts": parts},
                )["VersionId"]
        except (BotoCoreError, ClientError) as error:
            with suppress(ServiceFault):
                self.abort()
            raise ServiceFault("S3 did not store an object") from error
        self._closed = True
        self._end()
        return version

    def abort(self) -> None:
        """Drops what was written, parts that are under way included. Raises ServiceFault when S3 keeps
        them.
        """
        self._closed = True
        # A part that ends after the abort would be kept, so none may be under way.
        self._end()
        if self._upload_id is not None:
            try:
                self._bucket.client.abort_multipart_upload(
                    Bucket=self._bucket.name, Key=self._key, UploadId=self._upload_id
                )
            except (BotoCoreError, ClientError) as error:
                raise ServiceFault("S3 did not abort an upload") from error

    def _begin_part(self) -> None:
        part, self._part = self._part, self._new_part()
        self._parts.append(part)
        try:
            if self._upload_id is None or self._threads is None:
                self._upload_id = self._bucket.client.create_multipart_upload(
                    Bucket=self._bucket.name, Key=self._key, ContentType=self._content_type
                )["UploadId"]
                self._threads = ThreadPoolExecutor(PARTS_ALIVE - 1, thread_name_prefix="part")
            if len(self._uploads) == PARTS_LIMIT:
                raise ServiceFault(f"an object is too large for {PARTS_LIMIT:,} parts")
            if len(self._uploads) >= PARTS_ALIVE - 1:
                # The oldest must be done before one more may live; a failure shows here at the latest.
                self._uploads[1 - PARTS_ALIVE].result()
            self._uploads.append(
                self._threads.submit(self._upload_part, self._upload_id, len(self._uploads) + 1, part)
            )
        except (BotoCoreError, ClientError) as error:
            raise ServiceFault("S3 did not take a part") from error

    def _upload_part(self, upload_id: str, number: int, part: IO[bytes]) -> "CompletedPartTypeDef":
        part.seek(0)
        answer = self._bucket.client.upload_part(
            Bucket=self._bucket.name, Key=self._key, UploadId=upload_id, PartNumber=number, Body=part
        )
        part.close()
        return {"ETag": answer["ETag"], "PartNumber": number}

    def _end(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None
        for part in (*self._parts, self._part):
            part.close()
