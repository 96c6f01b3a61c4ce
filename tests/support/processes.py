"""The processes that a test starts, so that it can tell whether they have ended."""

import subprocess
from typing import Self

import pytest

Started = list["subprocess.Popen[bytes]"]


def remembered(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Those that `subprocess` starts from now on."""
    processes: Started = []

    class ProcessThatIsRemembered(subprocess.Popen[bytes]):
        def __new__(cls, *args: object, **kwargs: object) -> Self:
            process = super().__new__(cls)
            processes.append(process)
            return process

    monkeypatch.setattr(subprocess, "Popen", ProcessThatIsRemembered)
    return processes


def none_is_left(processes: Started) -> None:
    """Fails when one of them has not ended, or nobody has asked how."""
    assert all(process.returncode is not None for process in processes), "a process is left"
