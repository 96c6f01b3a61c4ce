"""The service at its boundary: events in, answers out, through the real handlers, Postgres and S3 emulator.

HTTP events are built by the laptop's front and routed by template.yaml, so a test meets what API Gateway
would send.
"""

import importlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from leads.postgres.connection import Connection, Database
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.settings import DatabaseSettings
from local.aws.http_event import Request, build_event
from local.aws.s3 import CREDENTIALS, REGION, S3Emulator
from local.postgres.embedded import EmbeddedPostgres
from local.template.deployment import Template, load_template
from tests.support.aws_calls import AwsCalls
from tests.support.deployed import PARAMETERS, STACK, deployed, policies
from tests.support.lambda_context import FakeLambdaContext

ROOT = Path(__file__).resolve().parents[2]
APP_PASSWORD = PARAMETERS["DatabasePassword"]

Handler = Callable[[dict[str, Any], Any], Any]


@dataclass(frozen=True)
class Answer:
    """What a caller gets."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Caller:
    """Somebody with a token. A new one has an organisation of its own, so tests share nothing."""

    org: str = field(default_factory=lambda: f"org-{uuid4().hex[:12]}")
    role: str = "ADMIN"
    user: str = "ana@agency.example"

    @property
    def claims(self) -> dict[str, str]:
        return {"sub": "u-1", "email": self.user, "custom:org_id": self.org, "custom:role": self.role}


class Service:
    """The deployed functions, each in this process."""

    def __init__(self, postgres: EmbeddedPostgres, s3: S3Emulator) -> None:
        self.postgres = postgres
        self.s3 = s3
        self.template: Template = load_template(
            ROOT / "template.yaml", _parameters(postgres), stack_name=STACK
        )
        self.bucket = self.template.bucket or ""
        s3.create_bucket(self.bucket)
        self.database = Database(database_settings(postgres, "leads_app", APP_PASSWORD), "test")
        self.leads_bucket = Bucket(s3.client, self.bucket)
        self.aws_calls = AwsCalls(policies(deployed()))

    def handler(self, name: str) -> Handler:
        """The handler of `functions/{name}`, imported with the environment that the template gives it."""
        handler: Handler = self.module(name).handler
        return handler

    def module(self, name: str) -> ModuleType:
        """The module of `functions/{name}/app.py`. Its bucket and its database note what they are asked."""
        return self._modules[name]

    def bucket_of(self, name: str) -> Bucket:
        """A function's own bucket, for a use case that is run without its handler."""
        bucket: Bucket = self.module(name).bucket
        return bucket

    @cached_property
    def _modules(self) -> dict[str, ModuleType]:
        modules = {}
        for function in self.template.functions:
            name = function.code.name
            os.environ.update(function.environment)
            with self.aws_calls.of(name):
                modules[name] = module = importlib.import_module(f"functions.{name}.app")
            for variable, value in list(vars(module).items()):
                if isinstance(value, Database):
                    setattr(module, variable, self.aws_calls.database(name, value))
        return modules

    def request(  # noqa: PLR0913 (the parts of an HTTP request)
        self,
        method: str,
        path: str,
        caller: Caller | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        claims: Mapping[str, str] | None = None,
    ) -> Answer:
        """Calls the API as the gateway does after it has verified the token."""
        target = quote(path) + (f"?{urlencode(query)}" if query else "")
        request = Request(method, target, tuple((headers or {}).items()), body, "127.0.0.1")
        name, route, parameters = self._route(method, path)
        caller = caller or Caller()
        event = build_event(request, route, parameters, claims or caller.claims, uuid4().hex)
        answer = self.handler(name)(event, FakeLambdaContext(name))
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def _route(self, method: str, path: str) -> tuple[str, str, dict[str, str]]:
        for function in self.template.functions:
            for route in function.routes:
                pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)
                if route.method == method and (match := re.fullmatch(pattern, path)):
                    return function.code.name, route.key, match.groupdict()
        raise LookupError(f"no route {method} {path}")

    def put(self, key: str, content: bytes) -> StoredFile:
        """Stores an object, without announcing it."""
        answer = self.s3.client.put_object(Bucket=self.bucket, Key=key, Body=content)
        return StoredFile(key, answer["VersionId"])

    def announce(self, file: StoredFile) -> None:
        """Sends process_import the event that S3 sends for an object."""
        self.handler("process_import")(s3_event(self.bucket, file), FakeLambdaContext("process_import"))

    def keys(self, prefix: str = "") -> list[str]:
        """The keys of the bucket."""
        listed = self.s3.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def version(self, key: str) -> StoredFile:
        """The newest version of an object."""
        head = self.s3.client.head_object(Bucket=self.bucket, Key=key)
        return StoredFile(key, head["VersionId"], head["ContentLength"])

    def import_csv(
        self,
        caller: Caller,
        content: bytes | str,
        strategy: str = "SKIP",
        **query: str,
    ) -> dict[str, Any]:
        """Imports a file through the API and gives the details of its job, ended."""
        job_id = self.post_csv(caller, content, strategy, **query)
        self.announce(self.version(f"imports/{caller.org}/{job_id}/upload.csv"))
        return self.job(caller, job_id)

    def post_csv(self, caller: Caller, content: bytes | str, strategy: str = "SKIP", **query: str) -> int:
        """Sends a file through the API and leaves it unprocessed; gives its job's id."""
        answer = self.request(
            "POST",
            "/api/v1/leads/import",
            caller,
            query={"mergeStrategy": strategy, **query},
            headers={"Content-Type": "application/octet-stream", "Prefer": "respond-async"},
            body=content.encode() if isinstance(content, str) else content,
        )
        assert answer.status == 202, answer
        return int(answer.json["importJobId"])

    def job(self, caller: Caller, job_id: int) -> dict[str, Any]:
        """The details of a job from the history."""
        answer = self.request("GET", f"/api/v1/leads/import/history/{job_id}", caller)
        assert answer.status == 200, answer
        details: dict[str, Any] = answer.json
        return details

    def export_csv(self, caller: Caller, **query: str) -> str:
        """Exports leads through the API and gives the file's text."""
        answer = self.request("GET", "/api/v1/leads/export", caller, query=query)
        assert answer.status == 303, answer
        (key,) = self.keys(f"exports/{caller.org}/{answer.json['id']}/")
        body = self.s3.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body.decode()

    def owner(self) -> Connection:
        """A connection that sees every organisation, for looking and for preparing."""
        return Connection(
            database_settings(self.postgres, "leads_owner", self.postgres.owner_password), "test"
        )

    def app(self) -> Connection:
        """A connection as the functions have it."""
        return Connection(database_settings(self.postgres, "leads_app", APP_PASSWORD), "test")

    def leads(self, caller: Caller) -> list[dict[str, object]]:
        """The leads of the caller's organisation, by id."""
        with self.owner() as connection:
            return connection.query_dicts(
                "SELECT * FROM dossier WHERE org_id = :org ORDER BY id", org=caller.org
            )


def database_settings(postgres: EmbeddedPostgres, user: str, password: str) -> DatabaseSettings:
    """How a role reaches the tests' server."""
    return DatabaseSettings(
        host=postgres.host, port=postgres.port, name="leads", user=user, password=password, tls=False
    )


def s3_event(bucket: str, *files: StoredFile) -> dict[str, Any]:
    """The event of one or several stored objects: the sample of `events/`, with their keys."""
    sample = json.loads((ROOT / "events/process_import_upload.json").read_text())
    (record,) = sample["Records"]
    records = []
    for file in files:
        one = json.loads(json.dumps(record))
        one["s3"]["bucket"]["name"] = bucket
        one["s3"]["object"] |= {
            "key": quote(file.key, safe="/").replace("%20", "+"),
            "versionId": file.version,
            "size": file.size,
        }
        records.append(one)
    return {"Records": records}


def multipart(content: bytes, filename: str = "leads.csv", **fields: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of a form with a file, as a browser sends it."""
    boundary = "----leads-io-test"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    body = b"".join([*parts, head.encode(), content, f"\r\n--{boundary}--\r\n".encode()])
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


def prepare_environment(s3: S3Emulator) -> None:
    """What Lambda itself gives every function, for handlers that run in this process."""
    os.environ.update(CREDENTIALS)
    os.environ.update(
        AWS_DEFAULT_REGION=REGION,
        AWS_REGION=REGION,
        AWS_ENDPOINT_URL_S3=s3.url,
        AWS_EC2_METADATA_DISABLED="true",
    )


def _parameters(postgres: EmbeddedPostgres) -> dict[str, str]:
    return {
        **PARAMETERS,
        "DatabaseHost": postgres.host,
        "DatabasePort": str(postgres.port),
        "DatabaseTls": "off",
        "DatabaseAuth": "password",
        "DatabaseOwnerPassword": postgres.owner_password,
    }
