"""What a handler is given beside its event."""

import time
from dataclasses import dataclass, field
from uuid import uuid4


@dataclass
class FakeLambdaContext:
    """The parts of Lambda's context object that handlers and Powertools read."""

    function_name: str
    timeout: float | None = None
    """Seconds; None: what template.yaml gives a function of such a name."""
    memory_limit_in_mb: int = 128
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:eu-west-3:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        timeout = self.timeout or (900.0 if self.function_name.startswith("process_") else 29.0)
        return int((self.started + timeout - time.monotonic()) * 1000)
