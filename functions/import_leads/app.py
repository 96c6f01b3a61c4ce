"""Serve POST /api/v1/leads/import, which starts the import of a file, and …/uploads for larger files."""

from leads.cold_start import started

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.domain.job_status import JobStatus
from leads.jobs.bodies import ImportResult, UploadCreated
from leads.jobs.stores import Stores
from leads.jobs.views import ImportView
from leads.observability import flush_metrics, logger
from leads.postgres.connection import Database
from leads.s3.bucket import Bucket
from leads.s3.timeouts import INTERACTIVE
from leads.settings import BucketSettings, ClaimSettings, DatabaseSettings
from leads.use_cases.import_leads import create_upload, import_leads
from leads.web.auth import principal_of
from leads.web.history_requests import HISTORY_PATH
from leads.web.import_requests import read_import_request
from leads.web.parameters import Preference, read_preference
from leads.web.resolver import create_resolver, json_response, problem_response
from leads.web.upload_requests import read_upload_request

DEFAULT_WAIT_SECONDS = 20.0
"""Wait for the job's end without a Prefer header. With less, more callers must poll."""

MAX_WAIT_SECONDS = 25
"""Longest wait for the job's end. Clients of the API rely on it.

The gateway times out after 30 s: the other 5 are for a cold start and for storing the file. With more,
callers get the gateway's 503 instead of their job. If S3 needs longer for the file, the wait is shorter.
"""

RESERVED_SECONDS = 4.0
"""Reserved of the function's time for the last poll of the job and for the response.

The poll may take 3 s. With less, Lambda may kill the function before it responds.
"""

app = create_resolver()
claims = ClaimSettings.from_environment()
database = Database(DatabaseSettings.from_environment(), "import_leads")
bucket = Bucket.from_settings(BucketSettings.from_environment(), INTERACTIVE)


@app.post("/api/v1/leads/import")
def post_import() -> Response[str]:
    """Store the file and return its job, ended or not. A repeated request returns the first one's job."""
    principal = principal_of(app.current_event, claims)
    request = read_import_request(app.current_event)
    preference = read_preference(
        app.current_event.headers, default_wait=DEFAULT_WAIT_SECONDS, max_wait=MAX_WAIT_SECONDS
    )
    view = import_leads(
        principal,
        request,
        Stores(database, bucket),
        wait=preference.wait_seconds,
        seconds=app.lambda_context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS,
    )
    logger.info("file stored", status=view.job.status, bytes=len(request.content))
    return _answer(view, preference)


@app.post("/api/v1/leads/import/uploads")
def post_upload() -> Response[str]:
    """Record a job, and return the form to upload its file with, which may be larger than a request."""
    principal = principal_of(app.current_event, claims)
    order = read_upload_request(app.current_event)
    upload = create_upload(principal, order, Stores(database, bucket))
    logger.info("upload prepared")
    headers = {"Location": f"{HISTORY_PATH}/{upload.job_id}"}
    return json_response(HTTPStatus.CREATED, UploadCreated.of(upload).to_json(), headers)


def _answer(view: ImportView, preference: Preference) -> Response[str]:
    job = view.job
    if job.status is JobStatus.FAILED:
        internal = job.failure_code is not None and job.failure_code.internal
        status = HTTPStatus.INTERNAL_SERVER_ERROR if internal else HTTPStatus.BAD_REQUEST
        return problem_response(
            app, status, job.failure_reason or "", headers=preference.headers, importJobId=job.id
        )
    body = ImportResult.of(view).to_json()
    if job.status is JobStatus.COMPLETED:
        return json_response(HTTPStatus.OK, body, preference.headers)
    headers = {"Location": f"{HISTORY_PATH}/{job.id}", "Retry-After": "1"} | preference.headers
    return json_response(HTTPStatus.ACCEPTED, body, headers)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle an event of an API Gateway HTTP API, payload format 2.0."""
    try:
        return app.resolve(event, context)
    finally:
        flush_metrics()


started()
