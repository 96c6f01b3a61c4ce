"""Write an object of unknown size as it grows: whole after `close`, absent after `abort`.

Parts are uploaded in the background while the next one fills. A file that fits in one part is stored at once,
without a multipart upload.
"""

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import IO, TYPE_CHECKING, Final

from leads.errors import ServiceFault
from leads.s3.bucket import Bucket

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_SIZE: Final = 5 * 1024 * 1024
"""Bytes of a part: the minimum of S3 for all but the last one (S3 multipart upload limits)."""

PARTS_ALIVE: Final = 3
"""Parts in memory at once: one fills while two are uploaded. Each more takes PART_SIZE of memory."""

PARTS_LIMIT: Final = 10_000
"""Parts of one upload (S3 multipart upload limits): 48 GiB of 5 MiB parts."""


class MultipartWriter:
    """Collect bytes for one object. As a context manager it aborts unless `close` was called.

    `new_part` makes the buffer of a part: memory, or a file that is deleted when it is closed.
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
            # The first error is the one to raise, not that S3 did not delete the parts.
            with suppress(ServiceFault) if kind is not None else nullcontext():
                self.abort()

    def write(self, data: bytes) -> None:
        """Add bytes, after waiting for an upload if PARTS_ALIVE are in memory. Raises ServiceFault."""
        self._part.write(data)
        self.size += len(data)
        # Parts may differ in size, and cutting one at PART_SIZE would copy it.
        if self._part.tell() >= PART_SIZE:
            self._upload()

    def close(self) -> str:
        """Store the whole object and return its version. Raises ServiceFault, and then aborts."""
        try:
            if self._upload_id is None:
                self._part.seek(0)
                version = self._bucket.put(self._key, self._part, self._content_type)
            else:
                if self._part.tell():
                    self._upload()
                parts = [upload.result() for upload in self._uploads]
                version = self._bucket.complete_upload(self._key, self._upload_id, parts)
        except ServiceFault:
            with suppress(ServiceFault):
                self.abort()
            raise
        self._closed = True
        self._end()
        return version

    def abort(self) -> None:
        """Delete the bytes written so far, and parts under way. Raises ServiceFault if S3 did not."""
        self._closed = True
        # S3 would keep a part that ends after the abort, so wait until none is under way.
        self._end()
        if self._upload_id is not None:
            self._bucket.abort_upload(self._key, self._upload_id)

    def _upload(self) -> None:
        """Start to upload the current part, and begin the next one."""
        part, self._part = self._part, self._new_part()
        self._parts.append(part)
        if self._upload_id is None or self._threads is None:
            self._upload_id = self._bucket.start_upload(self._key, self._content_type)
            self._threads = ThreadPoolExecutor(PARTS_ALIVE - 1, thread_name_prefix="part")
        if len(self._uploads) == PARTS_LIMIT:
            raise ServiceFault(f"an object is too large for {PARTS_LIMIT:,} parts")
        if len(self._uploads) >= PARTS_ALIVE - 1:
            # The oldest upload must end before one more starts; its failure is raised here at the latest.
            self._uploads[1 - PARTS_ALIVE].result()
        self._uploads.append(
            self._threads.submit(self._upload_part, self._upload_id, len(self._uploads) + 1, part)
        )

    def _upload_part(self, upload_id: str, number: int, part: IO[bytes]) -> "CompletedPartTypeDef":
        part.seek(0)
        uploaded = self._bucket.upload_part(self._key, upload_id, number, part)
        part.close()
        return uploaded

    def _end(self) -> None:
        """Wait for the uploads under way, drop the others, and free the buffers."""
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None
        for part in (*self._parts, self._part):
            part.close()
