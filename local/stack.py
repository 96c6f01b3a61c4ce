"""Run the whole service on one machine: Postgres, S3, the functions, their events and the HTTP API.

with Stack(directory, throw_away=True) as stack:
    headers = {"Authorization": f"Bearer {stack.token('acme')}"}
    urllib3.request("GET", stack.api + "/api/v1/leads/export", headers=headers)
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from local.aws.authorizer import AUDIENCE, ISSUER, JwtAuthorizer, TokenIssuer, token_claims
from local.aws.gateway import AccessLog, Gateway, require_free
from local.aws.lambda_environments import LambdaEnvironments
from local.aws.notifications import RETRY_SECONDS, Notifications
from local.aws.s3 import S3Emulator
from local.aws.schedules import Schedules
from local.postgres.embedded import APP, DATABASE, OWNER, EmbeddedPostgres
from local.postgres.unfinished_jobs import end_unfinished_jobs
from local.sam.env_vars import write_env_vars
from local.state import PROJECT, DirectoryLock, LaptopError, write_private
from local.template.deployment import Template, load_template

_T = TypeVar("_T")

STACK_NAME = "leads-laptop"
MIGRATE = "MigrateDatabaseFunction"


class StackFailed(LaptopError):
    """Report that the stack could not start. All of its parts are stopped again."""


@dataclass(frozen=True)
class Deployment:
    """Choose the template, and the waits by which the laptop differs from the cloud."""

    template: Path = PROJECT / "template.yaml"
    retry_seconds: Sequence[float] = RETRY_SECONDS
    """The waits before the retries of an asynchronous event."""
    schedule_seconds: float | None = None
    """The wait between two scheduled events, if it is not the template's."""


class Stack:
    """Run the service between `start` and `stop` (or within a `with`). Its `stack.json` has the addresses."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        throw_away: bool = False,
        deployment: Deployment | None = None,
        access_log: AccessLog | None = None,
    ) -> None:
        """Keep leads, keys and logs in `directory`. If `throw_away`, they may be lost in a power cut.

        `port` is the API's; 0 picks a free one. `access_log` gets a line per request instead of
        `logs/api.log`.
        """
        self.directory = directory.resolve()
        self.logs = self.directory / "logs"
        self.postgres = EmbeddedPostgres(self.directory / "postgres", throw_away=throw_away)
        self.s3 = S3Emulator(log=self.logs / "s3.log")
        self._port = port
        self._deployment = deployment or Deployment()
        self._access_log = access_log
        self._running = contextlib.ExitStack()
        self._gateway: Gateway | None = None
        self._environments: LambdaEnvironments | None = None
        self._notifications: Notifications | None = None
        self._schedules: Schedules | None = None
        self._template: Template | None = None
        self._issuer: TokenIssuer | None = None
        self._app_password = ""
        self._events: str | None = None
        self._dead_letters: list[str] = []

    @property
    def api(self) -> str:
        """Return the API's URL, without a slash at the end."""
        return _started(self._gateway).url

    @property
    def environments(self) -> LambdaEnvironments:
        """Return the functions, to invoke one directly."""
        return _started(self._environments)

    @property
    def bucket(self) -> str:
        """Return the bucket's name."""
        return _started(_started(self._template).bucket)

    @property
    def database(self) -> str:
        """Return the libpq URI of the functions' role."""
        return self.postgres.app_uri(self._app_password)

    def token(self, org: str, role: str = "ADMIN", user: str = "dev@example.com") -> str:
        """Return a token for this stack."""
        return _started(self._issuer).issue(token_claims(org, role, user, self._deployment.template))

    def issue(self, **claims: Any) -> str:
        """Return a token of iss, aud, iat, exp and these claims, which may replace them. None omits one."""
        return _started(self._issuer).issue(claims)

    def warm(self) -> None:
        """Start an environment of each function in the background, so that first requests are fast."""
        for function in _started(self._template).functions:
            if function.routes or function.triggers:
                self.environments.warm(function.logical_id)

    def start(self) -> None:
        """Start all parts and write stack.json.

        Raises:
            StackFailed: The migration failed.
            DirectoryInUse: Another process uses the directory.
            PortInUse: Another program listens on the port.
            LaptopError: Another part could not start.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all parts without waiting for running jobs. Do nothing if the stack is stopped."""
        self._running.close()
        if self._notifications is not None:
            self._notifications.join()
            self._notifications = None
        if self._schedules is not None:
            self._schedules.join()
            self._schedules = None

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        running = self._running
        running.enter_context(DirectoryLock(self.directory, "a local stack"))
        require_free(self._port)
        description = self.directory / "stack.json"
        # A killed stack's may still exist. A program that waits for this stack must not read it.
        description.unlink(missing_ok=True)
        running.callback(description.unlink, missing_ok=True)
        self._issuer = TokenIssuer.create(self.directory)
        self._app_password = self._load_app_password()
        self.s3.start()  # It takes as long as Postgres, so both start side by side.
        running.callback(self.s3.stop)
        running.enter_context(self.postgres)
        self._template = template = load_template(
            self._deployment.template, self._parameters(), stack_name=STACK_NAME
        )
        # The variables hold the S3 endpoint, so this waits for S3.
        self._environments = environments = LambdaEnvironments(
            template.functions, self.logs, {"AWS_ENDPOINT_URL_S3": self.s3.url}
        )
        running.callback(environments.close)
        self._migrate(template, environments)
        self._notifications = self._connect_bucket(template, environments)
        gateway = Gateway(
            template.functions,
            JwtAuthorizer(self._issuer.public_key),
            environments.invoke,
            port=self._port,
            access_log=self._access_log or self._log_access,
        )
        self._gateway = gateway
        running.callback(gateway.close)
        if self._notifications is not None:
            self._notifications.start()
            running.callback(self._notifications.stop)
        self._schedules = Schedules(
            template.functions, environments.invoke, seconds=self._deployment.schedule_seconds
        )
        self._schedules.start()
        running.callback(self._schedules.stop)
        running.callback(
            write_env_vars(self.directory, template.functions, self.s3.url).unlink, missing_ok=True
        )
        write_private(description, self._description())

    def _parameters(self) -> dict[str, str]:
        return {
            "JwtIssuer": ISSUER,
            "JwtAudience": AUDIENCE,
            "DatabaseHost": self.postgres.host,
            "DatabasePort": str(self.postgres.port),
            "DatabaseName": DATABASE,
            "DatabaseTls": "off",
            "DatabaseAuth": "password",
            "DatabaseUser": APP,
            "DatabasePassword": self._app_password,
            "DatabaseOwner": OWNER,
            "DatabaseOwnerPassword": self.postgres.owner_password,
        }

    def _load_app_password(self) -> str:
        path = self.directory / "app_password"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24).encode())
        return path.read_text()

    def _migrate(self, template: Template, environments: LambdaEnvironments) -> None:
        function = template.function(MIGRATE)
        if function is None:
            return
        outcome = environments.invoke(MIGRATE, b"{}")
        if outcome.failed:
            log = self.logs / f"{function.code.name}.log"
            raise StackFailed(f"{MIGRATE} failed: {outcome.error_message}\nIts log is {log}")
        environments.cool(MIGRATE)
        end_unfinished_jobs(self.postgres)

    def _connect_bucket(self, template: Template, environments: LambdaEnvironments) -> Notifications | None:
        self._dead_letters = [self.s3.create_queue(queue) for queue in template.queues]
        if template.bucket is None:
            return None
        self.s3.create_bucket(template.bucket)
        triggers = [trigger for function in template.functions for trigger in function.triggers]
        if not triggers:
            return None
        self._events = self.s3.notify(template.bucket, triggers, f"{STACK_NAME}-notifications")
        return Notifications(
            self.s3,
            self._events,
            template.functions,
            environments.invoke,
            retry_seconds=self._deployment.retry_seconds,
        )

    def _log_access(self, line: str) -> None:
        with (self.logs / "api.log").open("a") as file:
            file.write(line + "\n")

    def _description(self) -> bytes:
        description = {
            "api": self.api,
            "database": self.database,
            "databaseOwner": self.postgres.owner_uri,
            "s3": self.s3.url,
            "bucket": _started(self._template).bucket,
            "events": self._events,
            "deadLetters": self._dead_letters,
            "pid": os.getpid(),
        }
        return json.dumps(description, indent=2).encode() + b"\n"


def _started(part: _T | None) -> _T:
    if part is None:
        raise StackFailed("the stack is not running")
    return part
