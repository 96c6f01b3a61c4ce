"""Time how each function starts, against bare handlers that only import libraries (make bench-cold).

Each start is a process of AWS's runtime interface emulator, which is part of aws-sam-cli. The process has the
function's code, layer and environment of template.yaml. Postgres and S3 run in other processes.

The layer's libraries are installed and finished as in `make build`, but for the Python of .venv.
"""

import argparse
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import urllib3

from bench.console import describe_run, print_line
from bench.environment import ORG, Environment
from layers.finish_layer import finish_layer
from local.aws.lambda_environment import lambda_variables
from local.state import PROJECT

_EMULATORS: Final = PROJECT / ".venv-sam" / "lib"
_MACHINES: Final = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

_BARE: Final = """
import boto3, pg8000.native, pydantic
def handler(event, context):
    return {}
"""

_BARE_WITH_S3: Final = _BARE + "client = boto3.client('s3')\n"
"""The minimum of a function that uses S3. It creates its client at the start, because Lambda then runs it
with a whole CPU whatever its memory. Later, the first caller would wait longer for the client.
"""

_BARE_HANDLERS: Final = {"bare": _BARE, "bare with S3": _BARE_WITH_S3}

_EVENTS: Final = {
    "import_leads": "import_leads_uploads",
    "process_import": "process_import_upload",
    "export_leads": "export_leads_json",
    "process_export": "process_export_request",
    "import_history": "import_history_list",
    "expire_jobs": "expire_jobs",
    "migrate_database": "migrate_database_by_hand",
}
_ANSWER_TIMEOUT_SECONDS: Final = 60.0
"""Time for one answer. Starts take less than a second, so only a hanging function reaches it."""

_LINE: Final = "{:<18}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}"
_INIT: Final = re.compile(rb"INIT REPORT\(durationMs: ([0-9.]+)\)")


class Start(NamedTuple):
    """Milliseconds of one start: its initialisation, the first answer with it, and the second answer."""

    init_ms: float
    first_ms: float
    second_ms: float


def main() -> None:
    """Print a line for each bare handler and each function, with its ratios to the bare handlers."""
    parser = argparse.ArgumentParser(prog="make bench-cold")
    parser.add_argument("--starts", type=int, default=7)
    options = parser.parse_args()
    print_line(f"{describe_run()}, median of {options.starts} starts, ms")
    print_line(_LINE.format("function", "init", "to bare", "with S3", "first", "second"))
    with tempfile.TemporaryDirectory() as directory, Environment(Path(directory)) as environment:
        libraries = Path(directory) / "libraries"
        _install(libraries)
        first_function = environment.template.functions[0]
        cases = []
        for name, code in _BARE_HANDLERS.items():
            folder = Path(directory) / name
            folder.mkdir()
            (folder / "app.py").write_text(code)
            cases.append((name, folder, lambda_variables(first_function, ""), b"{}"))
        for function in environment.template.functions:
            event = _event(_EVENTS[function.code.name])
            cases.append((function.code.name, function.code, lambda_variables(function, ""), event))
        # Round by round: the machine's speed changes from one minute to the next.
        starts: dict[str, list[Start]] = {name: [] for name, *_ in cases}
        for _ in range(options.starts):
            for name, folder, variables, event in cases:
                layers = os.pathsep.join(map(str, first_function.layers))
                variables = {
                    **variables,
                    "AWS_ENDPOINT_URL_S3": environment.s3.url,
                    "PYTHONPATH": os.pathsep.join([str(folder), layers, str(libraries)]),
                }
                starts[name].append(_start(folder, variables, event))
        bare = [statistics.median(start.init_ms for start in starts[name]) for name in _BARE_HANDLERS]
        for name, *_ in cases:
            init, first, second = (statistics.median(times) for times in zip(*starts[name], strict=True))
            ratios = (f"{init / bare_init:.2f}" for bare_init in bare)
            print_line(_LINE.format(name, f"{init:.0f}", *ratios, f"{first:.0f}", f"{second:.0f}"))


def _install(libraries: Path) -> None:
    required = PROJECT / "layers" / "shared" / "requirements.txt"
    options = ["--quiet", "--no-compile", f"--target={libraries}", f"--requirement={required}"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options], check=True)
    finish_layer(libraries)


def _event(name: str) -> bytes:
    event = json.loads((PROJECT / "events" / f"{name}.json").read_text())
    if "requestContext" in event:
        event["requestContext"]["authorizer"]["jwt"]["claims"]["custom:org_id"] = ORG
    return json.dumps(event).encode()


def _start(code: Path, variables: Mapping[str, str], event: bytes) -> Start:
    with tempfile.TemporaryFile() as log, _emulator(code, variables, log.fileno()) as url:
        answers = []
        for _ in range(2):
            started_at = time.perf_counter()
            answer = urllib3.request("POST", url, body=event, retries=False, timeout=_ANSWER_TIMEOUT_SECONDS)
            answers.append((time.perf_counter() - started_at) * 1000)
            if answer.status != 200 or b"errorMessage" in answer.data:
                log.seek(0)
                raise RuntimeError(f"{code.name} failed: {answer.data[:500]!r} {log.read()[-2000:]!r}")
        log.seek(0)
        found = _INIT.search(log.read())
    if found is None:
        raise RuntimeError("the emulator reported no init")
    return Start(float(found[1]), *answers)


@contextmanager
def _emulator(code: Path, variables: Mapping[str, str], log: int) -> Iterator[str]:
    """Return the URL that invokes a function, which starts with its first invocation."""
    kind = _MACHINES[platform.machine()]
    (program,) = _EMULATORS.glob(f"python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{kind}")
    port, api = _free_ports()
    addresses = [
        f"--runtime-interface-emulator-address=127.0.0.1:{port}",
        f"--runtime-api-address=127.0.0.1:{api}",
    ]
    process = subprocess.Popen(
        [program, *addresses, sys.executable, "-m", "awslambdaric", "app.handler"],
        cwd=code,
        env=variables,
        stdout=log,
        stderr=log,
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
    finally:
        process.kill()
        process.wait()


def _free_ports() -> tuple[int, int]:
    """Return two different free ports. Both are bound before one is released."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connected:
            # Without a listener, the client's own port may be this one, and it connects to itself.
            if connected.getsockname() != connected.getpeername():
                return
        time.sleep(0.02)
    raise RuntimeError("the emulator did not start")


if __name__ == "__main__":
    main()
