"""Imports as tests run and look at them: files cut as small as they like, the report that a job leaves."""

import csv
import io
import json
from typing import Any, NamedTuple

import urllib3

from leads.formats.lines import LINE_LIMIT
from leads.import_engine.sizes import Sizes
from leads.jobs.outcome import ImportOutcome
from leads.jobs.stores import Stores
from leads.postgres.connection import Database
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import import_key
from leads.use_cases.process_import import process_import
from tests.support.service import Caller, Service

csv.field_size_limit(LINE_LIMIT)


def run_import(  # noqa: PLR0913 (what a test wants different from the handler)
    service: Service,
    file: StoredFile,
    sizes: Sizes = Sizes(),  # noqa: B008 (a tuple)
    *,
    database: Database | None = None,
    bucket: Bucket | None = None,
    seconds: float = 300,
) -> ImportOutcome:
    """process_import without its handler, which takes no other sizes than ours and hides what is raised."""
    return process_import(
        file,
        Stores(database or service.database, bucket or service.bucket_of("process_import")),
        seconds=seconds,
        sizes=sizes,
    )


def posted(
    service: Service, caller: Caller, content: bytes | str, strategy: str = "SKIP", **query: str
) -> StoredFile:
    """A file that was sent through the API and is not processed yet."""
    job_id = service.post_csv(caller, content, strategy, **query)
    return service.version(import_key(caller.org, job_id))


def uploaded(
    service: Service, caller: Caller, content: bytes, strategy: str = "SKIP", filename: str = "large.csv"
) -> StoredFile:
    """A file that was sent by a presigned POST, as large ones are, and is not processed yet."""
    answer = service.request(
        "POST",
        "/api/v1/leads/import/uploads",
        caller,
        headers={"Content-Type": "application/json"},
        body=json.dumps({"filename": filename, "mergeStrategy": strategy}).encode(),
    )
    assert answer.status == 201, answer
    target = answer.json["upload"]
    fields = {**target["fields"], "file": (filename, content, "text/csv")}
    stored = urllib3.request("POST", target["url"], fields=fields, retries=False)
    assert stored.status in (200, 204), stored.data
    return service.version(target["fields"]["key"])


def job_of(service: Service, caller: Caller, file: StoredFile) -> dict[str, Any]:
    """The details of an upload's job."""
    return service.job(caller, int(file.key.split("/")[2]))


def counts(job: dict[str, Any]) -> tuple[int, int, int, int]:
    """Total, success, error, skipped."""
    return job["totalRows"], job["successCount"], job["errorCount"], job["skippedCount"]


class Report(NamedTuple):
    """A report as its reader gets it."""

    text: str
    header: list[str]
    rows: list[list[str]]

    @property
    def outcomes(self) -> dict[int, str]:
        """What became of each row."""
        return {int(row[0]): row[1] for row in self.rows}


def download(url: str) -> urllib3.BaseHTTPResponse:
    """What is behind a presigned link, fetched without a token."""
    answer = urllib3.request("GET", url, retries=False)
    assert answer.status == 200, answer.data
    return answer


def report_of(job: dict[str, Any], delimiter: str = ",") -> Report:
    """The report of a job, by its link; a mark at its beginning stays in the text alone."""
    assert job["reportUrl"], f"no report: {job}"
    text = download(job["reportUrl"]).data.decode()
    header, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter)
    return Report(text, header, rows)


def pending_uploads(service: Service, prefix: str) -> list[str]:
    """Keys of multipart uploads that were neither completed nor aborted."""
    listed = service.s3.client.list_multipart_uploads(Bucket=service.bucket, Prefix=prefix)
    return [upload["Key"] for upload in listed.get("Uploads", [])]
