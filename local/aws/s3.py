"""Emulate S3 and SQS on the loopback interface by moto's server in a process of its own.

    with S3Emulator() as s3:
        s3.create_bucket("leads-test")
        s3.client.put_object(Bucket="leads-test", Key="imports/a.csv", Body=b"name,phone")

Its objects end with it. It checks no signature and no POST policy.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

from local.state import LaptopError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import FilterRuleTypeDef, QueueConfigurationTypeDef
    from mypy_boto3_sqs import SQSClient

    from local.template.deployment import Trigger

REGION: Final = "eu-west-3"
ACCOUNT_ID = "123456789012"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "laptop",
    "AWS_SECRET_ACCESS_KEY": "laptop",
    "AWS_SESSION_TOKEN": "laptop",
}


class S3Failed(LaptopError):
    """Report that the server ended before it could serve. The message ends with its log."""


class S3Emulator:
    """Run an S3 server between `start` and `stop` (or within a `with`), and make its clients."""

    def __init__(self, *, log: Path | None = None) -> None:
        """Write the server's errors to `log`, or drop them without one."""
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None

    @property
    def url(self) -> str:
        """Return the endpoint of both services as soon as the server answers. Raise S3Failed."""
        if self._port is None:
            if self._process is None or self._process.stdout is None:
                raise S3Failed("the S3 server is not started")
            line = self._process.stdout.readline()
            if not line:
                log = self._log.read_text(errors="replace")[-2000:] if self._log else ""
                raise S3Failed(f"the S3 server ended with {self._process.wait()}:\n{log}")
            self._port = int(line)
        return f"http://127.0.0.1:{self._port}"

    @cached_property
    def client(self) -> S3Client:
        """Return a boto3 client for S3. It is thread-safe."""
        # By default boto3 puts the bucket into the host name.
        return _session().client("s3", endpoint_url=self.url, config=Config(s3={"addressing_style": "path"}))

    @cached_property
    def queues(self) -> SQSClient:
        """Return a boto3 client for SQS. It is thread-safe and fails at once when the server stops."""
        return queues_at(self.url)

    def start(self) -> None:
        """Start the server. The first use of `url` waits for it."""
        output = self._log.open("ab") if self._log else None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.aws.s3_server"],
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output or subprocess.DEVNULL,
                # Containers reach this machine under another name (local/sam): the bucket is in the path.
                env={"PATH": os.defpath, "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true", **CREDENTIALS},
                start_new_session=True,
            )
        finally:
            if output:
                output.close()

    def stop(self) -> None:
        """Stop the server, which loses its objects and messages. Do nothing if it is stopped."""
        if self._process is None:
            return
        for name in ("client", "queues"):
            if client := self.__dict__.pop(name, None):
                client.close()
        try:
            self._process.communicate(timeout=5)  # It ends with its stdin.
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._process = self._port = None

    def __enter__(self) -> S3Emulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def create_bucket(self, name: str) -> None:
        """Create a versioned bucket like the template's."""
        self.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def create_queue(self, name: str) -> str:
        """Create an SQS queue and return its URL on this server."""
        self.queues.create_queue(QueueName=name)
        return f"{self.url}/{ACCOUNT_ID}/{name}"

    def notify(self, bucket: str, triggers: Iterable[Trigger], queue: str) -> str:
        """Let the bucket send the events of these triggers to a new queue. Return the queue's URL."""
        url = self.create_queue(queue)
        configurations: list[QueueConfigurationTypeDef] = []
        for trigger in triggers:
            rules: list[FilterRuleTypeDef] = []
            if trigger.prefix:  # moto fails for an empty one.
                rules.append({"Name": "prefix", "Value": trigger.prefix})
            if trigger.suffix:
                rules.append({"Name": "suffix", "Value": trigger.suffix})
            configurations.append(
                {
                    "QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}",
                    "Events": list(trigger.events),  # type: ignore[arg-type]
                    "Filter": {"Key": {"FilterRules": rules}},
                }
            )
        self.client.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": configurations}
        )
        # S3 sends a s3:TestEvent to a queue but not to a function, which this queue stands for.
        self.queues.purge_queue(QueueUrl=url)
        return url


def queues_at(url: str) -> SQSClient:
    """Return a boto3 client for the SQS of a server, such as that in stack.json."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
    return _session().client("sqs", endpoint_url=url, config=config)


def _session() -> boto3.Session:
    return boto3.Session(
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=CREDENTIALS["AWS_SESSION_TOKEN"],
        region_name=REGION,
    )
