"""Implement `make invoke`: run a built function by `sam local invoke` on the running stack.

The container is in Docker's own network, because `sam local` cannot put it into the machine's any more
(https://github.com/aws/aws-sam-cli/pull/7278). But Postgres and S3 listen on the loopback interface. So the
ports of this machine's address in Docker's network are forwarded to them while the function runs.
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
    """Report that the function could not be invoked."""


def main() -> int:
    """Invoke the function: its answer goes to stdout, its log and SAM's messages to stderr.

    Return SAM's exit code, 1 without a stack or Docker, or 2 for wrong arguments.
    """
    parser = argparse.ArgumentParser(prog="python -m local.commands.invoke")
    parser.add_argument("function")
    parser.add_argument("event")
    arguments = parser.parse_args()
    if not arguments.function or not arguments.event:
        print(f"FUNCTION or EVENT is missing: {_EXAMPLE}", file=sys.stderr)
        return 2
    if not Path(arguments.event).is_file():
        print(f"there is no file {arguments.event}: {_EXAMPLE}", file=sys.stderr)
        return 2
    try:
        return invoke(arguments.function, Path(arguments.event), state_directory())
    except LaptopError as error:
        print(f"{arguments.function} cannot be invoked: {error}", file=sys.stderr)
        return 1


def invoke(function: str, event: Path, state: Path) -> int:
    """Invoke the function and return SAM's exit code. Raise InvokeFailed."""
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
        # SAM still pulls a missing image, but does not ask for a newer one each time.
        "--skip-pull-image",
    ]
    ports = {_port(stack["database"]), _port(stack["s3"])}
    try:
        with forwarded(gateway, ports):
            return subprocess.run(command, env=_variables(stack["s3"]), check=False).returncode
    except OSError as error:
        raise InvokeFailed(f"{gateway}, where containers look for this machine: {error.strerror}") from error


def declare_endpoint(built: Path) -> Path:
    """Copy the built template, with S3's address among the variables of all functions. Return the copy.

    SAM sets only the variables that the template declares.
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
    """Return this machine's address in Docker's own network."""
    docker = shutil.which("docker")
    if docker is None:
        raise InvokeFailed("there is no Docker (on Debian: apt-get install docker.io)")
    inspected = subprocess.run(
        [docker, "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if inspected.returncode:
        raise InvokeFailed(inspected.stderr.strip())
    for network in json.loads(inspected.stdout):
        subnet = ip_network(network["Subnet"])
        if subnet.version == 4:
            # A new network lacks its gateway at first. It is the first address.
            return str(network.get("Gateway") or next(subnet.hosts()))
    raise InvokeFailed("Docker's network has no IPv4 addresses")


def _port(url: str) -> int:
    port = urlsplit(url).port
    if port is None:
        raise InvokeFailed(f"{url} names no port")
    return port


def _variables(s3: str) -> dict[str, str]:
    """Return this process's variables without those of an AWS account.

    SAM would pass the account's keys to the function and ask AWS for their owner.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    laptop = {"AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": s3}
    return {**own, **CREDENTIALS, **laptop, "SAM_CLI_TELEMETRY": "0"}


if __name__ == "__main__":
    sys.exit(main())
