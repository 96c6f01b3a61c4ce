"""Test `make redrive`, and the commands of operations.md that redrive in the cloud."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.stack import Stack
from tests.e2e.test_killed_runs import connected
from tests.e2e.test_service import CSV, EXPORT, IMPORT, Client, within
from tests.support.service import ROOT

OPERATIONS = (ROOT / "docs/operations.md").read_text()


@contextmanager
def refused_for_a_while(stack: Stack, org: str) -> Iterator[None]:
    """Let Postgres refuse each insert of a lead of the organisation, as in a shutdown."""
    name = f"refuse_{uuid4().hex}"
    with closing(connected(stack.postgres.owner_uri)) as owner:
        owner.run(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE 'not now' USING ERRCODE = '57P01'; END$$"
        )
        owner.run(
            f"CREATE TRIGGER {name} BEFORE INSERT ON dossier FOR EACH ROW WHEN (NEW.org_id = '{org}') "
            f"EXECUTE FUNCTION {name}()"
        )
        try:
            yield
        finally:
            owner.run(f"DROP FUNCTION {name} CASCADE")


def make_redrive(state: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["make", "-s", "redrive"],  # noqa: S607
        cwd=ROOT,
        env=os.environ | {"LEADS_STATE_DIR": str(state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def queues(stack: Stack) -> list[str]:
    """Return the URLs of the dead-letter queues."""
    found: list[str] = json.loads((stack.directory / "stack.json").read_text())["deadLetters"]
    return found


def test_redrive_completes_import_that_failed_three_times(stack: Stack) -> None:
    client = Client(stack)
    with refused_for_a_while(stack, client.org):
        answer = client.request(
            "POST",
            IMPORT,
            headers={"Content-Type": "application/octet-stream", "Prefer": "respond-async"},
            body=CSV,
        )
        id = answer.json()["importJobId"]
        assert client.ended_job(id)["status"] == "FAILED"

    def look() -> dict[str, Any] | None:
        # The letter arrives a moment after the end of its job.
        done = make_redrive(stack.directory)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert re.fullmatch(r"Dead letters sent through again: \d+\n", done.stdout)
        job: dict[str, Any] = client.request("GET", f"{IMPORT}/history/{id}").json()
        return job if job["status"] == "COMPLETED" else None

    assert within(30, look)["successCount"] == 1
    assert client.export().count(b"\n") == 2


def test_redrive_completes_export(stack: Stack) -> None:
    client = Client(stack)
    export = client.request("GET", EXPORT, headers={"Prefer": "respond-async"}).json()["id"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = client.request("GET", f"{EXPORT}/{export}").json()
        return found if found["status"] == "COMPLETED" else None

    within(20, ended)
    with closing(connected(stack.postgres.owner_uri)) as owner:
        owner.run(
            "UPDATE export_job SET status = 'FAILED', failure_code = 'INTERNAL', failure_reason = 'x' "
            "WHERE id = :id",
            id=export,
        )
    (queue,) = (one for one in queues(stack) if one.endswith("ExportDeadLetters"))
    (key,) = stack.s3.client.list_objects_v2(Bucket=stack.bucket, Prefix=f"export-requests/{client.org}/")[
        "Contents"
    ]
    version = stack.s3.client.head_object(Bucket=stack.bucket, Key=key["Key"])["VersionId"]
    stored = {"bucket": {"name": stack.bucket}, "object": {"key": key["Key"], "versionId": version}}
    letter = {"Records": [{"eventName": "ObjectCreated:Put", "s3": stored}]}
    stack.s3.queues.send_message(QueueUrl=queue, MessageBody=json.dumps(letter))
    assert make_redrive(stack.directory).returncode == 0
    assert within(20, ended)["rowCount"] == 0


def test_redrive_without_dead_letters_sends_none(stack: Stack, tmp_path: Path) -> None:
    queue = stack.s3.create_queue(f"empty-{uuid4().hex}")
    description = {"s3": stack.s3.url, "deadLetters": [queue], "events": queue}
    (tmp_path / "stack.json").write_text(json.dumps(description))
    assert make_redrive(tmp_path).stdout == "Dead letters sent through again: 0\n"


def test_redrive_without_stack_is_refused(tmp_path: Path) -> None:
    done = make_redrive(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "make run" in done.stderr
    (tmp_path / "stack.json").write_text(
        json.dumps({"s3": "http://127.0.0.1:9", "deadLetters": ["http://127.0.0.1:9/q"], "events": ""})
    )
    assert "make run" in make_redrive(tmp_path).stderr, "stack.json is that of a killed stack"


AWS = '''#!/usr/bin/env python3
"""Act as the AWS CLI on a folder: letters are files, and invocations are recorded in one."""
import json, pathlib, sys
here = pathlib.Path(__file__).parent
words = [word for word in sys.argv[1:] if not word.startswith("--")]
option = lambda name: sys.argv[sys.argv.index(name) + 1]
command = " ".join(words[:2])
if command == "cloudformation describe-stacks":
    print("https://sqs/" + option("--query").split("'")[1])
elif command == "cloudformation describe-stack-resource":
    print("leads-io-" + option("--logical-resource-id"))
elif command == "sqs receive-message":
    waiting = sorted((here / option("--queue-url").rpartition("/")[2]).glob("*"))
    if waiting:
        print(json.dumps({"Messages": [{"Body": waiting[0].read_text(), "ReceiptHandle": waiting[0].name}]}))
elif command == "lambda invoke":
    event = pathlib.Path(option("--payload").removeprefix("file://")).read_text()
    with (here / "invoked").open("a") as file:
        file.write(json.dumps([option("--function-name"), json.loads(event)]) + "\\n")
    sys.exit("refused" in event)
elif command == "sqs delete-message":
    (here / option("--queue-url").rpartition("/")[2] / option("--receipt-handle")).unlink()
else:
    sys.exit(f"unknown: {command}")
'''


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    """Make a folder with an `aws` of its own and two queues."""
    program = tmp_path / "aws"
    program.write_text(AWS)
    program.chmod(0o755)
    for queue in ("ImportDeadLettersUrl", "ExportDeadLettersUrl"):
        (tmp_path / queue).mkdir()
    return tmp_path


def redrive_in_the_cloud(cloud: Path) -> list[tuple[str, dict[str, Any]]]:
    """Run the documented commands and return the invocations."""
    (commands,) = re.findall(r"```bash\n(redrive\(\).*?)```", OPERATIONS, re.DOTALL)
    subprocess.run(
        ["/bin/bash", "-c", commands],
        cwd=cloud,
        env=os.environ | {"PATH": f"{cloud}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return [tuple(json.loads(line)) for line in (cloud / "invoked").read_text().splitlines()]


def test_cloud_redrive_sends_letters_to_their_functions(cloud: Path) -> None:
    for queue, names in (("ImportDeadLettersUrl", "ab"), ("ExportDeadLettersUrl", "c")):
        for name in names:
            (cloud / queue / name).write_text(json.dumps({"Records": [{"it's": f'a "key" é {name}'}]}))
    invoked = redrive_in_the_cloud(cloud)
    assert [(function, event["Records"][0]["it's"][-1]) for function, event in invoked] == [
        ("leads-io-ProcessImportFunction", "a"),
        ("leads-io-ProcessImportFunction", "b"),
        ("leads-io-ProcessExportFunction", "c"),
    ]
    assert not [*cloud.glob("*Url/*")]


def test_cloud_redrive_keeps_refused_letter(cloud: Path) -> None:
    (cloud / "ImportDeadLettersUrl" / "a").write_text('{"Records": ["refused"]}')
    assert len(redrive_in_the_cloud(cloud)) == 1
    assert [path.name for path in cloud.glob("*Url/*")] == ["a"]
