"""Print a benchmark's lines at once, also into a pipe, and the machine that they are from."""

import os
import platform
import sys
from datetime import UTC, datetime


def describe_run() -> str:
    """Return today's date and the machine, without its name."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine}"


def print_line(line: str) -> None:
    """Print a line and flush it: a case can take minutes, and its reader must not wait for the next one."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
