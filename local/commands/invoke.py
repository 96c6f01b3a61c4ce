"""`make invoke FUNCTION=… EVENT=…`: a function as `sam build` built it, by `sam local invoke`, on the
running stack.

Its container is in Docker's own network, for `sam local` no longer puts one into the machine's
(https://github.com/aws/aws-sam-cli/pull/7278). So Postgres and S3, which listen on the loopback interface,
are lent to this machine's address in Docker's network while the function runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from local.aws.s3 import CREDENTIALS, REGION
from local.sam.env_vars import ENDPOINT, ENV_VARS, HOST
from local.sam.forwarding import forwarded
from local.state import PROJECT, LaptopError, state_directory
from local.template.document import read_document

SAM = PROJECT / ".venv-sam" / "bin" / "sam"
BUILT = PROJECT / ".aws-sam" / "build" / "template.yaml"

_EXAMPLE = "make invoke FUNCTION=ImportLeadsFunction EVENT=events/import_leads_form.json"


class InvokeFailed(LaptopError):
    """The function could not be invoked."""


def main() -> int:
    """Invoke it: its answer on stdout, its log and SAM's words on stderr. SAM's exit code, or 1 with a
    message when there is no stack or no Docker, 2 when the arguments are no good.
    """
    parser = argparse.ArgumentParser(prog="python -m local.commands.invoke")
    parser.add_argument("function")
    parser.add_argument("event")
    given = parser.parse_args()
    if not given.function or not given.event:
        print(f"FUNCTION or EVENT is missing: {_EXAMPLE}", file=sys.stderr)
        return 2
    if not Path(given.event).is_file():
        print(f"there is no file {given.event}: {_EXAMPLE}", file=sys.stderr)
        return 2
    try:
        return invoke(given.function, Path(given.event), state_directory())
    except LaptopError as error:
        print(f"{given.function} cannot be invoked: {error}", file=sys.stderr)
        return 1


def invoke(function: str, event: Path, state: Path) -> int:
    """SAM's exit code. Raises InvokeFailed."""
    try:
        stack = json.loads((state / "stack.json").read_text())
    except FileNotFoundError:
        raise InvokeFailed(f"no stack runs on {state}: start it first (make run)") from None
    gateway = _gateway()
    command = [
        *(str(SAM), "local", "invoke", function),
        *("--template", str(declare_endpoint(BUILT))),
        *("--event", str(event)),
        *("--env-vars", str(state / ENV_VARS)),
        *("--add-host", f"{HOST}:{gateway}"),
        # It is pulled when it is missing, and not asked for again each time.
        "--skip-pull-image",
    ]
    ports = {_port(stack["database"]), _port(stack["s3"])}
    try:
        with forwarded(gateway, ports):
            return subprocess.run(command, env=_variables(stack["s3"]), check=False).returncode
    except OSError as error:
        raise InvokeFailed(f"{gateway}, where containers look for this machine: {error.strerror}") from error


def declare_endpoint(built: Path) -> Path:
    """A copy of the built template in which every function declares where S3 is: SAM gives a function only
    the variables that its template declares.
    """
    document = read_document(built)
    node = document
    for name in ("Globals", "Function", "Environment", "Variables"):
        node = node.setdefault(name, {})
    node[ENDPOINT] = ""
    copy = built.with_name("template-on-laptop.json")  # Paths in it are relative to its folder.
    copy.write_text(json.dumps(document))
    return copy


def _gateway() -> str:
    """This machine's address in Docker's own network."""
    docker = shutil.which("docker")
    if docker is None:
        raise InvokeFailed("there is no Docker (on Debian: apt-get install docker.io)")
    asked = subprocess.run(
        [docker, "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise InvokeFailed(asked.stderr.strip())
    for network in json.loads(asked.stdout):
        subnet = ip_network(network["Subnet"])
        if subnet.version == 4:
            # An engine that has just made its network does not tell its gateway, which is the first address.
            return str(network.get("Gateway") or next(subnet.hosts()))
    raise InvokeFailed("Docker's network has no IPv4 addresses")


def _port(url: str) -> int:
    port = urlsplit(url).port
    if port is None:
        raise InvokeFailed(f"{url} names no port")
    return port


def _variables(s3: str) -> dict[str, str]:
    """Nothing of the caller's AWS account: SAM would hand its keys to the function and ask AWS whose they
    are.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ours = {"AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": s3}
    return {**kept, **CREDENTIALS, **ours, "SAM_CLI_TELEMETRY": "0"}


if __name__ == "__main__":
    sys.exit(main())
