"""Run import jobs for a benchmark, each from a saved state of the database."""

import json
import time
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from bench.environment import ORG, Environment
from bench.floor import BY, create_floor_table
from bench.lead_files import Phones, write_leads
from bench.memory import PeakMemory
from leads.domain.import_job import ImportJob
from leads.domain.job_status import JobStatus
from leads.domain.merge_strategy import MergeStrategy
from leads.postgres.import_jobs import NewImportJob, create_import_job, get_import_job
from leads.s3.keys import import_key
from local.postgres.embedded import DATABASE, OWNER

_FUNCTION: Final = "ProcessImportFunction"


class Measured(NamedTuple):
    """A job that has ended, and its time from the event on."""

    seconds: float
    job: ImportJob


class ImportEnvironment(Environment):
    """An environment with two states of its database: `empty`, and `stored` with the leads of a file."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._warm_up = directory / "warm-up.csv"
        write_leads(self._warm_up, 1, Phones.CANONICAL)

    def prepare(self) -> None:
        """Save the state `empty`, with the floor's table."""
        create_floor_table(self.uri)
        self._save_state("empty")

    def store(self, file: Path) -> None:
        """Save the state `stored`: dossier and the floor's table have the leads of a file."""
        self.reset("empty")
        self.run(file, MergeStrategy.SKIP)
        with self.owner().connect() as connection:
            connection.execute("DROP TABLE floor")
            create_floor_table(self.uri)
            # With the statistics of an empty table, Postgres would plan the floor badly.
            connection.execute("ANALYZE")
        self._save_state("stored")

    def reset(self, state: str) -> None:
        """Restore the state `empty` or `stored`, with the files and statistics that it had."""
        with self.superuser() as connection:
            connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        self._copy(state)

    def run(self, file: Path, strategy: MergeStrategy) -> Measured:
        """Run one job from its event to its end, in a warm function that has imported one lead only."""
        self._warm(strategy)
        return self._run(file, strategy, ORG)

    def measure_peak(self, file: Path, strategy: MergeStrategy) -> float:
        """Run one job and return its peak memory in MB, without that of earlier jobs.

        The job is not timed: reading a process's memory delays the process.
        """
        self._warm(strategy)
        with PeakMemory("awslambdaric") as memory:
            self._run(file, strategy, ORG)
        return memory.megabytes

    def _warm(self, strategy: MergeStrategy) -> None:
        self.functions.cool(_FUNCTION)
        self._run(self._warm_up, strategy, "warm-up")

    def _run(self, file: Path, strategy: MergeStrategy, org_id: str) -> Measured:
        database = self.app()
        new = NewImportJob(org_id, file.name, strategy, dry_run=False, created_by=BY)
        with database.connect() as connection:
            job_id = create_import_job(connection, new)
        key = import_key(org_id, job_id)
        with file.open("rb") as content:
            version = self.s3.client.put_object(Bucket=self.bucket, Key=key, Body=content)["VersionId"]
        stored = {"key": quote(key), "size": file.stat().st_size, "versionId": version}
        event = {
            "Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": self.bucket}, "object": stored}}]
        }
        started_at = time.perf_counter()
        outcome = self.functions.invoke(_FUNCTION, json.dumps(event).encode())
        seconds = time.perf_counter() - started_at
        with database.connect() as connection:
            job = get_import_job(connection, org_id, job_id)
        self.s3.client.delete_object(Bucket=self.bucket, Key=key, VersionId=version)
        if job is None or outcome.failed or job.status is not JobStatus.COMPLETED:
            raise RuntimeError(f"the import failed: {outcome.error_message} {job and job.failure_reason}")
        return Measured(seconds, job)

    def _save_state(self, state: str) -> None:
        """Save the database as a state for `reset`."""
        with self.superuser() as connection:
            connection.execute(f"ALTER DATABASE {DATABASE} RENAME TO {state}")
        self._copy(state)

    def _copy(self, state: str) -> None:
        with self.superuser() as connection:
            connection.execute(
                f"CREATE DATABASE {DATABASE} OWNER {OWNER} TEMPLATE {state} STRATEGY file_copy"
            )
