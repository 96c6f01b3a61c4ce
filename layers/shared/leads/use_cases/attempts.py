"""How often S3's event of a job is delivered, and how a run of it may end beside failing."""

from typing import Final

ATTEMPTS: Final = 3
"""Lambda's first asynchronous invocation and its two retries."""

IGNORED: Final = "IGNORED"
COMPLETED: Final = "COMPLETED"
