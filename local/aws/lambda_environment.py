"""Run a Lambda execution environment: a process of AWS's own runtime client, one invocation at a time.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html. The function gets the variables
of the template and those that Lambda sets. It gets none of this process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from local.aws.runtime_api import Invocation, Outcome, RuntimeApi, failure
from local.aws.s3 import ACCOUNT_ID, CREDENTIALS, REGION
from local.guard import Guard
from local.template.deployment import Function

INIT_SECONDS = 30.0
"""The time for a process to import its function. Lambda allows 10 s; a busy laptop may be slower."""


class LambdaEnvironment:
    """Run one process and its Runtime API from construction until it is killed or exits."""

    def __init__(self, function: Function, log: Path, variables: Mapping[str, str]) -> None:
        """Start the process. `log` gets its output and a REPORT line per invocation."""
        self._function = function
        self._arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{function.name}"
        self._api = RuntimeApi()
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "awslambdaric", function.handler],
                cwd=function.code,
                env={**lambda_variables(function, self._api.address), **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard = Guard(self._process.pid, signal.SIGKILL)
        threading.Thread(target=self._watch, name=f"watch-{function.logical_id}", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Return whether it can serve another invocation."""
        return not self._api.ended

    def invoke(self, payload: bytes) -> Outcome:
        """Invoke the function. At its timeout the process is killed, and that is the outcome."""
        if not self._api.settled.wait(INIT_SECONDS):
            self._stop(failure("Sandbox.Timedout", f"Init timed out after {INIT_SECONDS:.2f} seconds"))
        timeout = self._function.timeout
        started_at = time.monotonic()
        invocation = Invocation(
            request_id=str(uuid.uuid4()),
            payload=payload,
            function_arn=self._arn,
            deadline_ms=int((time.time() + timeout) * 1000),
            trace_id=f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=0",
        )
        self._api.offer(invocation)
        try:
            invocation.outcome.result(timeout)
        except TimeoutError:
            message = f"RequestId: {invocation.request_id} Error: Task timed out after {timeout:.2f} seconds"
            self._stop(failure("Sandbox.Timedout", message))
        outcome = invocation.outcome.result()
        if not self.alive:
            self._stop(outcome)
        self._report(invocation.request_id, (time.monotonic() - started_at) * 1000, outcome)
        return outcome

    def kill(self) -> None:
        """Kill the process."""
        self._stop(failure("Sandbox.Stopped", "the local stack is stopping"))

    def _stop(self, reason: Outcome) -> None:
        """Kill the process and its children. The reason is the outcome of the running invocation."""
        self._api.end(reason)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _watch(self) -> None:
        status = self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # Its children may still run.
        self._guard.close()
        self._api.end(failure("Runtime.ExitError", f"Error: Runtime exited {_reason(status)}"))
        self._api.close()

    def _report(self, request_id: str, milliseconds: float, outcome: Outcome) -> None:
        line = (
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms"
            f"\tMemory Size: {self._function.memory} MB"
            f"\tMax Memory Used: {_peak_megabytes(self._process.pid)} MB"
        )
        if outcome.failed:
            line += f"\tError: {outcome.error_message[:500]!r}"
        # One write, or the process could print into the line. A throw-away stack may have removed its logs.
        with contextlib.suppress(FileNotFoundError), self._log.open("ab", buffering=0) as log:
            log.write(line.encode() + b"\n")


def lambda_variables(function: Function, runtime_api: str) -> dict[str, str]:
    """Return the template's variables of a function, and those that Lambda sets.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    code = str(function.code)
    return {
        **function.environment,
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_REGION": REGION,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": code,
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        # On Lambda, too, layers (/opt/python) come after the function's own directory.
        "PYTHONPATH": os.pathsep.join([code, *map(str, function.layers)]),
        "TZ": ":UTC",
        "_HANDLER": function.handler,
    }


def _reason(status: int) -> str:
    if status < 0:
        return f"with error: signal: {signal.Signals(-status).name}"
    return f"with error: exit status {status}" if status else "without providing a reason"


def _peak_megabytes(pid: int) -> str:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return "?"
    return next((str(int(line.split()[1]) // 1024) for line in lines if line.startswith("VmHWM:")), "?")
