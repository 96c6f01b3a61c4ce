"""Invoke functions by `make invoke`, which uses `sam local invoke`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from local.stack import Stack
from tests.support.service import ROOT

ORG = "acme"
"""The organisation of the tokens in the samples of events/."""

RUN_SECONDS = 600
"""The limit of a build or an invocation. They take seconds, but a busy machine may be slow."""


class Invoked(NamedTuple):
    """Hold the answer of a function and the JSON lines of its log."""

    answer: Any
    log: list[dict[str, Any]]

    @property
    def body(self) -> Any:
        """Return the body of an answer to an HTTP request."""
        return json.loads(self.answer["body"]) if self.answer["body"] else None

    def logged(self, message: str) -> dict[str, Any]:
        """Return the only line with this message."""
        (line,) = [line for line in self.log if line.get("message") == message]
        return line


class Sam:
    """Run `sam local invoke` on a running stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def invoke(self, function: str, event: Path) -> Invoked:
        """Invoke a function, which must not fail."""
        command = [sys.executable, "-m", "local.commands.invoke", function, str(event)]
        return self.run(command)

    def run(self, command: list[str]) -> Invoked:
        """Run a command that prints the answer of a function as its last line."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"LEADS_STATE_DIR": str(self.stack.directory)},
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        assert done.stdout.strip(), f"no answer: {done.stderr}"
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        return Invoked(answer, [json.loads(line) for line in done.stderr.splitlines() if line[:1] == "{"])


class Like:
    """Equal every text that the pattern matches as a whole."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(self.pattern, other) is not None

    def __hash__(self) -> int:
        return hash(self.pattern)

    def __repr__(self) -> str:
        return f"Like({self.pattern!r})"


class Positive:
    """Equal every whole number above zero, such as the id of a job."""

    def __eq__(self, other: object) -> bool:
        return type(other) is int and other > 0

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "Positive()"
