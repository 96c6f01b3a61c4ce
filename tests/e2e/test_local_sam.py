"""Test the parts of `make invoke` that need no Docker. tests/sam_local has the rest."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local.commands.invoke import declare_endpoint
from local.sam.forwarding import forwarded
from local.stack import Stack
from local.template.deployment import Function, load_template
from local.template.document import read_document
from tests.support.deployed import PARAMETERS, STACK
from tests.support.service import ROOT

OTHER_ADDRESS = "127.0.0.2"
"""Another address of this machine, in the place of Docker's."""

TEMPLATE = """
Globals:
  Function:
    Runtime: python3.13
Resources:
  SomeFunction:
    Type: AWS::Serverless::Function
    Properties:
      VpcConfig: !If [InVpc, {SubnetIds: [!Ref Subnet]}, !Ref AWS::NoValue]
"""


def _functions() -> dict[str, Function]:
    template = load_template(ROOT / "template.yaml", PARAMETERS, stack_name=STACK)
    return {function.logical_id: function for function in template.functions}


def test_env_vars_have_all_variables_and_host_name(stack: Stack) -> None:
    path = stack.directory / "env-vars.json"
    env_vars = json.loads(path.read_text())

    assert path.stat().st_mode & 0o077 == 0, "it holds passwords"
    expected = {name: {*one.environment, "AWS_ENDPOINT_URL_S3"} for name, one in _functions().items()}
    assert {name: set(variables) for name, variables in env_vars.items()} == expected
    for variables in env_vars.values():
        assert variables["DATABASE_HOST"] == "laptop.localhost"
        assert variables["DATABASE_PORT"] == str(urlsplit(stack.database).port)
        s3 = urlsplit(variables["AWS_ENDPOINT_URL_S3"])
        assert (s3.scheme, s3.hostname, s3.port) == ("http", "laptop.localhost", urlsplit(stack.s3.url).port)
    assert env_vars["ImportLeadsFunction"]["DATABASE_PASSWORD"] == urlsplit(stack.database).password
    assert env_vars["ImportLeadsFunction"]["BUCKET_NAME"] == stack.bucket


def test_template_copy_adds_only_the_endpoint(tmp_path: Path) -> None:
    built = tmp_path / "template.yaml"
    built.write_text(TEMPLATE)

    copy = declare_endpoint(built)

    assert copy.parent == built.parent, "its paths are relative"
    expected = read_document(built)
    expected["Globals"]["Function"]["Environment"] = {"Variables": {"AWS_ENDPOINT_URL_S3": ""}}
    assert json.loads(copy.read_text()) == expected


@pytest.fixture
def port() -> Iterator[int]:
    """Return the port of a loopback server that answers a whole message backwards."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                message = b"".join(iter(lambda: connection.recv(65536), b""))
                connection.sendall(message[::-1])

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(20)


def test_forwarded_port_carries_both_directions(port: int) -> None:
    message = os.urandom(3_000_000)

    with forwarded(OTHER_ADDRESS, [port]), socket.create_connection((OTHER_ADDRESS, port), 20) as client:
        client.sendall(message)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    assert answer == message[::-1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((OTHER_ADDRESS, port), 20)


def test_forwarding_foreign_address_is_refused() -> None:
    with pytest.raises(OSError, match="assign"), forwarded("203.0.113.1", [1024]):
        pass


@pytest.mark.parametrize(
    ("function", "event", "code", "message"),
    [
        ("", "events/expire_jobs.json", 2, "FUNCTION or EVENT is missing: make invoke FUNCTION="),
        ("ExpireJobsFunction", "", 2, "FUNCTION or EVENT is missing: make invoke FUNCTION="),
        ("ExpireJobsFunction", "events/none.json", 2, "there is no file events/none.json: make invoke FUN"),
        ("ExpireJobsFunction", "events/expire_jobs.json", 1, "start it first (make run)"),
    ],
)
def test_invoke_without_arguments_or_stack_is_refused(
    tmp_path: Path, function: str, event: str, code: int, message: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.commands.invoke", function, event],
        cwd=ROOT,
        env=os.environ | {"LEADS_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
