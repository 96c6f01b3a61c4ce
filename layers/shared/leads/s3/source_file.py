"""Open the file of an import; a deleted file is the reason of a failed job."""

from typing import NamedTuple

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile
from leads.s3.bucket import Bucket
from leads.s3.reader import ObjectReader


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
