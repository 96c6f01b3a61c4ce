"""What a benchmark of imports runs in: Postgres, S3 and the function process_import, each in processes of its
own.
"""

import json
import secrets
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple, Self
from urllib.parse import quote, unquote, urlsplit

from bench.floor import make_floor_table
from bench.lead_files import Phones, write_leads
from bench.memory import PeakMemory
from leads.domain.import_job import ImportJob, JobStatus
from leads.domain.merge_strategy import MergeStrategy
from leads.postgres.connection import Connection, Database
from leads.postgres.import_jobs import NewImportJob, create_import_job, get_import_job
from leads.s3.keys import import_key
from leads.settings import DatabaseSettings
from leads.use_cases.migrate_database import migrate_database
from local.lambda_environments import LambdaEnvironments
from local.postgres import DATABASE, OWNER, EmbeddedPostgres
from local.s3 import S3Emulator
from local.state import PROJECT
from local.template import load_template

ORG: Final = "bench"
_STACK: Final = "leads-bench"
_FUNCTION: Final = "ProcessImportFunction"


class Measured(NamedTuple):
    """One job."""

    seconds: float
    megabytes: float
    job: ImportJob


class ImportHouse:
    """Runs in a `with` block, and nothing of it survives. The server does without fsync, for floors, too."""

    def __init__(self, directory: Path) -> None:
        password = secrets.token_urlsafe(16)
        self._parts = ExitStack()
        self._postgres = EmbeddedPostgres(directory / "postgres", throw_away=True)
        self._s3 = S3Emulator(log=directory / "s3.log")
        self._logs = directory / "logs"
        self._app_password = password
        self._bucket = ""
        self._warm_up = directory / "warm-up.csv"
        write_leads(self._warm_up, 1, Phones.CANONICAL)

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            parts.enter_context(self._postgres)
            parts.enter_context(self._s3)
            migrate_database(self._owner(), app_password=self._app_password)
            make_floor_table(self.uri)
            self._keep_as("empty")
            template = load_template(PROJECT / "template.yaml", self._parameters(), stack_name=_STACK)
            self._bucket = template.bucket or ""
            self._s3.create_bucket(self._bucket)
            self._functions = parts.enter_context(
                LambdaEnvironments(template.functions, self._logs, {"AWS_ENDPOINT_URL_S3": self._s3.url})
            )
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    @property
    def uri(self) -> str:
        """Where psql finds the database, as its owner."""
        return self._postgres.owner_uri

    def store(self, file: Path) -> None:
        """Makes `reset("stored")` give tables that hold the leads of a file."""
        self.reset("empty")
        self.run(file, MergeStrategy.SKIP)
        with self._owner().connect() as connection:
            connection.script("DROP TABLE floor")
            make_floor_table(self.uri)
            # Only now: with the statistics of an empty table the floor would be planned badly.
            connection.script("ANALYZE")
        self._keep_as("stored")

    def reset(self, state: str) -> None:
        """Puts the database back to `empty` or `stored`, files and statistics as they were then."""
        with self._superuser() as connection:
            connection.script(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        self._copy(state)

    def run(self, file: Path, strategy: MergeStrategy) -> Measured:
        """One job, from its event to its end, in a function that is warm but has imported one lead only: what
        a job before left in memory must not be counted.
        """
        self._functions.cool(_FUNCTION)
        self._run(self._warm_up, strategy, "warm-up")
        return self._run(file, strategy, ORG)

    def _run(self, file: Path, strategy: MergeStrategy, org_id: str) -> Measured:
        database = self._app()
        new = NewImportJob(org_id, file.name, strategy, dry_run=False, created_by="bench@example.com")
        with database.connect() as connection:
            job_id = create_import_job(connection, new)
        key = import_key(org_id, job_id)
        with file.open("rb") as content:
            version = self._s3.client.put_object(Bucket=self._bucket, Key=key, Body=content)["VersionId"]
        stored = {"key": quote(key), "versionId": version}
        event = {
            "Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": self._bucket}, "object": stored}}]
        }
        with PeakMemory("awslambdaric") as memory:
            began = time.perf_counter()
            outcome = self._functions.invoke(_FUNCTION, json.dumps(event).encode())
            seconds = time.perf_counter() - began
        with database.connect() as connection:
            job = get_import_job(connection, org_id, job_id)
        self._s3.client.delete_object(Bucket=self._bucket, Key=key, VersionId=version)
        if job is None or outcome.failed or job.status is not JobStatus.COMPLETED:
            raise RuntimeError(f"the import failed: {outcome.error_message} {job and job.failure_reason}")
        return Measured(seconds, memory.megabytes, job)

    def _keep_as(self, state: str) -> None:
        """Makes what the database holds now a state to come back to."""
        with self._superuser() as connection:
            connection.script(f"ALTER DATABASE {DATABASE} RENAME TO {state}")
        self._copy(state)

    def _copy(self, state: str) -> None:
        with self._superuser() as connection:
            connection.script(f"CREATE DATABASE {DATABASE} OWNER {OWNER} TEMPLATE {state} STRATEGY file_copy")

    def _superuser(self) -> Connection:
        """Beside the database that is copied: nobody may be in it."""
        return Connection(database_settings(self._postgres.superuser_uri, database="postgres"), "bench")

    def _owner(self) -> Database:
        return Database(database_settings(self._postgres.owner_uri), "bench")

    def _app(self) -> Database:
        return Database(database_settings(self._postgres.app_uri(self._app_password)), "bench")

    def _parameters(self) -> dict[str, str]:
        return {
            "JwtIssuer": "https://issuer.example",
            "JwtAudience": "leads",
            "DatabaseHost": self._postgres.host,
            "DatabasePort": str(self._postgres.port),
            "DatabaseTls": "off",
            "DatabasePassword": self._app_password,
            "DatabaseOwnerPassword": self._postgres.owner_password,
            "SubnetIds": "subnet-1",
            "SecurityGroupIds": "sg-1",
        }


def database_settings(uri: str, *, database: str = DATABASE) -> DatabaseSettings:
    """What a libpq URI says."""
    parts = urlsplit(uri)
    return DatabaseSettings(
        host=parts.hostname or "",
        port=parts.port or 0,
        name=database,
        user=parts.username or "",
        password=unquote(parts.password or ""),
        tls=False,
    )
