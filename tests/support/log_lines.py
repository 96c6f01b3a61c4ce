"""What the functions print: the lines of their logs, and their metrics."""

import io
import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from leads.observability import logger


class Printed:
    """What was printed since the last look, by the functions, and logged by the libraries they use."""

    def __init__(self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
        self._capsys = capsys
        self._caplog = caplog
        self.text = ""

    def objects(self) -> list[dict[str, Any]]:
        """All that is new; each line that a function prints is an object."""
        out, err = self._capsys.readouterr()
        self.text += out + err + self._caplog.text
        self._caplog.clear()
        assert err == "", err
        return [json.loads(line) for line in out.splitlines()]

    def lines(self) -> list[dict[str, Any]]:
        """The new lines of the logs; metrics are dropped."""
        return [line for line in self.objects() if "_aws" not in line]

    def metrics(self) -> list[dict[str, Any]]:
        """The new metrics, each with its dimensions; lines of the logs are dropped."""
        found = []
        for line in self.objects():
            for group in line.get("_aws", {}).get("CloudWatchMetrics", ()):
                dimensions = {name: line[name] for names in group["Dimensions"] for name in names}
                for metric in group["Metrics"]:
                    found.append({"name": metric["Name"], "value": line[metric["Name"]], **dimensions})
        return found

    def raised(self, error: BaseException) -> None:
        """Takes what Lambda logs of an error that a handler raises."""
        self.text += "".join(traceback.format_exception(error))


class _StandardOutput(io.TextIOBase):
    """What is standard output at the time: pytest captures each phase of a test in another stream."""

    def write(self, text: str, /) -> int:
        return sys.stdout.write(text)


@contextmanager
def printed(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Printed]:
    """Capture everything that is printed within the block.

    The functions' logger has the stream of the time when it was made, which is not the captured one.
    """
    (handler,) = (one for one in logger.handlers if isinstance(one, logging.StreamHandler))
    before, handler.stream = handler.stream, _StandardOutput()
    try:
        yield Printed(capsys, caplog)
    finally:
        handler.stream = before
