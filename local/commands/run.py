"""Implement `make run`: run the stack in the foreground until Ctrl-C or SIGTERM.

`LEADS_STATE_DIR` (default `.local`) is the directory of its leads. `PORT` (default 3000) is the API's, and 0
picks a free one.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from types import FrameType

from local.stack import Stack
from local.state import LaptopError, state_directory

_SAMPLE = "tests/data/french_authorities.csv"


class _StopRequested(BaseException):
    """Report that a signal asked the stack to stop."""


def main() -> int:
    """Run the stack. Return 0 after a requested stop, 1 if it cannot start, or 2 for a wrong PORT."""
    port = os.environ.get("PORT") or "3000"
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        print(f"PORT is {port!r}: a number from 0 (picks one) to 65535 is needed", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with Stack(
            state_directory(), port=int(port), access_log=lambda line: print(line, flush=True)
        ) as stack:
            stack.warm()
            _greet(stack)
            while True:
                signal.pause()
    except _StopRequested:
        print("Stopped.", flush=True)
        return 0
    except LaptopError as error:
        print(f"The stack cannot start: {error}", file=sys.stderr)
        return 1


def _stop(number: int, frame: FrameType | None) -> None:
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, signal.SIG_IGN)  # A second signal must not interrupt the stop.
    raise _StopRequested


def _greet(stack: Stack) -> None:
    variable = ""
    if os.environ.get("LEADS_STATE_DIR"):
        variable = f"LEADS_STATE_DIR={shlex.quote(str(stack.directory))} "
    token = f"{variable}make -s token ORG=acme ROLE=ADMIN USER=ana@acme.example"
    print(
        f"Ready: {stack.api}\n"
        "Import a file from another terminal, then stop with Ctrl-C:\n"
        f'  curl -H "Authorization: Bearer $({token})" \\\n'
        f"       -F file=@{_SAMPLE} {stack.api}/api/v1/leads/import\n"
        f"Logs: {stack.logs}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
