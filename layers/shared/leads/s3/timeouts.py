"""Choose how long a silent S3 may delay a function, by whether a caller waits for it."""

from typing import Final, NamedTuple

from botocore.config import Config


class S3Timeouts(NamedTuple):
    """Seconds that one try of a call may take to connect and to transfer some bytes, and the tries."""

    connect: int
    read: int
    tries: int

    @property
    def seconds(self) -> int:
        """Return the longest delay of a call by a silent S3.

        botocore pauses for up to 1 s before the second try and 2 s before the third (boto3 guide, "Retries",
        standard mode).
        """
        return self.tries * (self.connect + self.read) + (1 << self.tries - 1) - 1

    def config(self) -> Config:
        """Return these timeouts as botocore's configuration."""
        return Config(
            signature_version="s3v4",
            connect_timeout=self.connect,
            read_timeout=self.read,
            retries={"mode": "standard", "total_max_attempts": self.tries},
        )


BACKGROUND: Final = S3Timeouts(connect=5, read=10, tries=3)
"""For a function without a waiting caller: 48 s. A call of an S3 that connects and then is silent ends after
33 s. Postgres drops a reader that takes no more rows after 35 s (tcp_user_timeout).
"""

INTERACTIVE: Final = S3Timeouts(connect=2, read=5, tries=2)
"""For a function that answers the API within 29 s: 15 s."""
