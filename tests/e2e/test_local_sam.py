"""What `make invoke` rests on, as far as it goes without Docker: tests/sam_local has the rest."""

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

ELSEWHERE = "127.0.0.2"
"""Another of this machine's addresses, as Docker's would be."""

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


def test_each_function_gets_its_variables_and_the_hosts_name(stack: Stack) -> None:
    path = stack.directory / "env-vars.json"
    told = json.loads(path.read_text())

    assert path.stat().st_mode & 0o077 == 0, "it holds passwords"
    expected = {name: {*one.environment, "AWS_ENDPOINT_URL_S3"} for name, one in _functions().items()}
    assert {name: set(variables) for name, variables in told.items()} == expected
    for variables in told.values():
        assert variables["DATABASE_HOST"] == "laptop.localhost"
        assert variables["DATABASE_PORT"] == str(urlsplit(stack.database).port)
        s3 = urlsplit(variables["AWS_ENDPOINT_URL_S3"])
        assert (s3.scheme, s3.hostname, s3.port) == ("http", "laptop.localhost", urlsplit(stack.s3.url).port)
    assert told["ImportLeadsFunction"]["DATABASE_PASSWORD"] == urlsplit(stack.database).password
    assert told["ImportLeadsFunction"]["BUCKET_NAME"] == stack.bucket


def test_the_copy_of_the_template_declares_the_endpoint_and_nothing_else(tmp_path: Path) -> None:
    built = tmp_path / "template.yaml"
    built.write_text(TEMPLATE)

    copy = declare_endpoint(built)

    assert copy.parent == built.parent, "its paths are relative"
    expected = read_document(built)
    expected["Globals"]["Function"]["Environment"] = {"Variables": {"AWS_ENDPOINT_URL_S3": ""}}
    assert json.loads(copy.read_text()) == expected


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server on loopback that answers a message backwards, once the message has ended."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                message = b"".join(iter(lambda: connection.recv(65536), b""))
                connection.sendall(message[::-1])

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(20)


def test_a_lent_port_carries_both_directions_and_their_ends(port: int) -> None:
    message = os.urandom(3_000_000)

    with forwarded(ELSEWHERE, [port]), socket.create_connection((ELSEWHERE, port), 20) as client:
        client.sendall(message)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    assert answer == message[::-1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ELSEWHERE, port), 20)


def test_an_address_that_is_not_ours_is_refused() -> None:
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
def test_what_is_missing_is_told(tmp_path: Path, function: str, event: str, code: int, message: str) -> None:
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
