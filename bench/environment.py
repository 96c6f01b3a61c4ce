"""Run Postgres, S3 and the functions for a benchmark, each in its own processes."""

import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from leads.postgres.connection import Connection, Database
from leads.settings import DatabaseSettings
from leads.use_cases.migrate_database import migrate_database
from local.aws.lambda_environments import LambdaEnvironments
from local.aws.s3 import S3Emulator
from local.postgres.embedded import DATABASE, EmbeddedPostgres
from local.state import PROJECT
from local.template.deployment import load_template

ORG: Final = "bench"
_STACK: Final = "leads-bench"


class Environment:
    """A context manager that runs the service and removes it all. Postgres runs without fsync, floors too."""

    def __init__(self, directory: Path) -> None:
        self.postgres = EmbeddedPostgres(directory / "postgres", throw_away=True)
        self.s3 = S3Emulator(log=directory / "s3.log")
        self.bucket = ""
        self._parts = ExitStack()
        self._logs = directory / "logs"
        self._app_password = secrets.token_urlsafe(16)

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            parts.enter_context(self.postgres)
            parts.enter_context(self.s3)
            migrate_database(self.owner(), app_password=self._app_password, seconds=60)
            self.prepare()
            template = load_template(PROJECT / "template.yaml", self._parameters(), stack_name=_STACK)
            self.template = template
            self.bucket = template.bucket or ""
            self.s3.create_bucket(self.bucket)
            self.functions = parts.enter_context(
                LambdaEnvironments(template.functions, self._logs, {"AWS_ENDPOINT_URL_S3": self.s3.url})
            )
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def prepare(self) -> None:
        """Run after the migrations and before the functions start. Subclasses override it."""

    @property
    def uri(self) -> str:
        """Return the URI with which psql connects to the database as its owner."""
        return self.postgres.owner_uri

    def owner(self) -> Database:
        """Return the database for its owner's role."""
        return Database(database_settings(self.postgres.owner_uri), "bench")

    def app(self) -> Database:
        """Return the database for the functions' role."""
        return Database(database_settings(self.postgres.app_uri(self._app_password)), "bench")

    def superuser(self) -> Connection:
        """Connect to another database, for statements that refuse a database in use."""
        return Connection(database_settings(self.postgres.superuser_uri, database="postgres"), "bench")

    def _parameters(self) -> dict[str, str]:
        return {
            "JwtIssuer": "https://issuer.example",
            "JwtAudience": "leads",
            "DatabaseHost": self.postgres.host,
            "DatabasePort": str(self.postgres.port),
            "DatabaseTls": "off",
            "DatabaseAuth": "password",
            "DatabasePassword": self._app_password,
            "DatabaseOwnerPassword": self.postgres.owner_password,
            "SubnetIds": "subnet-1",
            "SecurityGroupIds": "sg-1",
        }


def database_settings(uri: str, *, database: str = DATABASE) -> DatabaseSettings:
    """Parse a libpq URI."""
    parts = urlsplit(uri)
    return DatabaseSettings(
        host=parts.hostname or "",
        port=parts.port or 0,
        name=database,
        user=parts.username or "",
        password=unquote(parts.password or ""),
        tls=False,
    )
