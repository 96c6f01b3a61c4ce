"""Jobs that nobody ends any more, and expire_jobs as tests run it: the past is written, never waited for."""

import json
from datetime import datetime, timedelta
from typing import Any

from leads.domain.job_ref import export_ref, import_ref
from leads.jobs.stores import Stores
from leads.postgres.export_jobs import claim_export_job
from leads.postgres.import_jobs import NewImportJob, claim_import_job, create_import_job
from leads.s3.bucket import UPLOAD_SECONDS, Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import parse_drop_key
from leads.use_cases.expire_jobs import MAX_JOBS, Expired, expire_jobs
from tests.support.exports import job_id as export_id
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import Caller, Service

EVENT_GONE = 66 * 60
"""Seconds after which no event of an object comes any more."""

UPLOAD_GONE = UPLOAD_SECONDS + 15 * 60
"""Seconds after which an upload is not waited for any more."""

IMPORT = "import_job"
EXPORT = "export_job"
CSV = b"name,phone,source\nA,0612345678,web\n"


def expire(
    service: Service,
    *,
    bucket: Bucket | None = None,
    seconds: float = 60,
    max_jobs: int = MAX_JOBS,
) -> Expired:
    """Run expire_jobs without its handler."""
    stores = Stores(service.database, bucket or service.leads_bucket)
    return expire_jobs(stores, seconds=seconds, max_jobs=max_jobs)


def invoke_expire_jobs(service: Service) -> dict[str, int]:
    """The handler, with the time that the template gives it."""
    counts: dict[str, int] = service.handler("expire_jobs")({}, FakeLambdaContext("expire_jobs"))
    return counts


def make_past(service: Service, table: str, id: int, **seconds: float) -> None:
    """Puts times of a job so many seconds into the past."""
    with service.owner() as connection:
        for column, ago in seconds.items():
            connection.query(
                f"UPDATE {table} SET {column} = now() - make_interval(secs => :ago) WHERE id = :id",  # noqa: S608
                ago=float(ago),
                id=id,
            )


def unattended(service: Service, table: str, id: int) -> None:
    """Lets a run of expire_jobs have found the job without a run two minutes ago."""
    make_past(service, table, id, unattended_since=120)


def stored_job(service: Service, table: str, id: int) -> dict[str, Any]:
    """A job as its table has it."""
    with service.owner() as connection:
        (record,) = connection.query_dicts(f"SELECT * FROM {table} WHERE id = :id", id=id)  # noqa: S608
    return record


def how_it_ended(service: Service, table: str, id: int) -> tuple[str, str | None]:
    """Status and failure code of a job."""
    job = stored_job(service, table, id)
    return job["status"], job["failure_code"]


def upload(service: Service, caller: Caller) -> int:
    """A job whose file is to be uploaded."""
    answer = service.request(
        "POST",
        "/api/v1/leads/import/uploads",
        caller,
        headers={"Content-Type": "application/json"},
        body=b'{"filename": "private.csv"}',
    )
    return int(answer.json["importJobId"])


def claimed_imports(service: Service, caller: Caller, file: StoredFile, id: int, attempts: int) -> None:
    """Lets as many runs have claimed an import and died."""
    for _ in range(attempts):
        with service.app() as connection:
            claim_import_job(
                connection, import_ref(caller.org, id), object_key=file.key, object_version=file.version
            )
            # The lock goes a moment after its connection.
            connection.query("SELECT pg_advisory_unlock_all()")


def claimed_exports(service: Service, caller: Caller, request: StoredFile, attempts: int) -> None:
    """Lets as many runs have claimed an export and died."""
    for _ in range(attempts):
        with service.app() as connection:
            claim_export_job(
                connection, export_ref(caller.org, export_id(request)), request_version=request.version
            )
            connection.query("SELECT pg_advisory_unlock_all()")


def dropped(service: Service, caller: Caller, content: bytes) -> tuple[StoredFile, int]:
    """A dropped file and its job, whose first run died before it claimed it."""
    file = service.put(f"drop/{caller.org}/x.csv", content)
    drop = parse_drop_key(file.key)
    assert drop is not None
    new = NewImportJob(
        caller.org,
        drop.filename,
        drop.merge_strategy,
        dry_run=False,
        created_by="drop-folder",
        object_key=file.key,
        object_version=file.version,
    )
    with service.app() as connection:
        return file, create_import_job(connection, new)


def result(service: Service, caller: Caller, id: int) -> dict[str, object]:
    """What is left for whoever dropped the file."""
    key = f"drop-results/{caller.org}/x.csv.{id}.json"
    answer = service.s3.client.get_object(Bucket=service.bucket, Key=key)
    assert answer["ContentType"] == "application/json"
    found: dict[str, object] = json.loads(answer["Body"].read())
    return found


class BucketOfLongAgo(Bucket):
    """Has stored everything at a time when events were long gone."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket.client, bucket.name)

    def stored_at(self, key: str) -> datetime | None:
        stored = super().stored_at(key)
        return stored and stored - timedelta(seconds=EVENT_GONE)
