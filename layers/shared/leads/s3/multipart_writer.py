"""Writes an object of unknown size as it grows: nothing is there until `close`, and nothing is left by
`abort`.

Parts upload in the background while the next one fills. What fits in one part is put at once, without a
multipart upload.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

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
    """A sink for bytes. Use it as a context manager: it aborts unless `close` was called."""

    def __init__(self, bucket: Bucket, key: str, content_type: str) -> None:
        self._bucket = bucket
        self._key = key
        self._content_type = content_type
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._uploads: list[Future[CompletedPartTypeDef]] = []
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False
        self.size = 0

    def __enter__(self) -> "MultipartWriter":
        return self

    def __exit__(self, *_: object) -> None:
        if not self._closed:
            self.abort()

    def write(self, data: bytes) -> None:
        """Takes some bytes; waits when as many parts as may be alive are uploading. Raises ServiceFault."""
        self._buffer += data
        self.size += len(data)
        while len(self._buffer) >= PART_SIZE:
            part = bytes(self._buffer[:PART_SIZE])
            del self._buffer[:PART_SIZE]
            self._begin_part(part)

    def close(self) -> None:
        """Makes the object appear, whole. Raises ServiceFault: then nothing is there."""
        try:
            if self._upload_id is None:
                self._bucket.put(self._key, bytes(self._buffer), self._content_type)
            else:
                if self._buffer:
                    self._begin_part(bytes(self._buffer))
                parts = [upload.result() for upload in self._uploads]
                self._bucket.client.complete_multipart_upload(
                    Bucket=self._bucket.name,
                    Key=self._key,
                    UploadId=self._upload_id,
                    MultipartUpload={"Parts": parts},
                )
        except (BotoCoreError, ClientError) as error:
            self.abort()
            raise ServiceFault("S3 did not store an object") from error
        self._closed = True
        self._end_threads()

    def abort(self) -> None:
        """Drops what was written, parts that are under way included. Raises ServiceFault when S3 keeps
        them.
        """
        self._closed = True
        # A part that ends after the abort would be kept, so none may be under way.
        self._end_threads()
        self._buffer.clear()
        if self._upload_id is not None:
            try:
                self._bucket.client.abort_multipart_upload(
                    Bucket=self._bucket.name, Key=self._key, UploadId=self._upload_id
                )
            except (BotoCoreError, ClientError) as error:
                raise ServiceFault("S3 did not abort an upload") from error

    def _begin_part(self, part: bytes) -> None:
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

    def _upload_part(self, upload_id: str, number: int, part: bytes) -> "CompletedPartTypeDef":
        answer = self._bucket.client.upload_part(
            Bucket=self._bucket.name, Key=self._key, UploadId=upload_id, PartNumber=number, Body=part
        )
        return {"ETag": answer["ETag"], "PartNumber": number}

    def _end_threads(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None
