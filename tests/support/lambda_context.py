"""What a handler is given beside its event."""

import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from uuid import uuid4

from local.state import PROJECT
from local.template.document import read_document


@cache
def _timeouts() -> dict[str, float]:
    """Seconds that the template gives each function, by its folder's name."""
    resources = read_document(PROJECT / "template.yaml")["Resources"].values()
    functions = [one["Properties"] for one in resources if one["Type"] == "AWS::Serverless::Function"]
    return {Path(one["CodeUri"]).name: float(one["Timeout"]) for one in functions}


@dataclass
class FakeLambdaContext:
    """The parts of Lambda's context object that handlers and Powertools read."""

    function_name: str
    timeout: float | None = None
    """Seconds; None: what template.yaml gives the function of that name."""
    memory_limit_in_mb: int = 128
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:eu-west-3:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        timeout = self.timeout if self.timeout is not None else _timeouts()[self.function_name]
        return int((self.started + timeout - time.monotonic()) * 1000)
