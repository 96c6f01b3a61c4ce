"""`make run`: the stack in the foreground, until Ctrl-C or SIGTERM.

`LEADS_STATE_DIR` (default `.local`) keeps its leads, `PORT` (default 3000, 0 picks one) is the API's.
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
    """A signal asked us to stop."""


def main() -> int:
    """Run the stack: 0 after a requested stop, 1 with a message when it cannot start, 2 for a bad PORT."""
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
        signal.signal(again, signal.SIG_IGN)  # Stopping takes a moment and should not be cut in half.
    raise _StopRequested


def _greet(stack: Stack) -> None:
    moved = ""
    if os.environ.get("LEADS_STATE_DIR"):
        moved = f"LEADS_STATE_DIR={shlex.quote(str(stack.directory))} "
    token = f"{moved}make -s token ORG=acme ROLE=ADMIN USER=ana@acme.example"
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
