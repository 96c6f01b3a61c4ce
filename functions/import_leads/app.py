"""POST /api/v1/leads/import: a file in, its job out. POST …/uploads: a job in, where to put its file out."""

from leads.cold_start import started

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.domain.job_status import JobStatus
from leads.jobs.bodies import ImportResult, UploadCreated
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
from leads.web.parameters import Preference, idempotency_key, preference
from leads.web.resolver import answer, api, problem
from leads.web.upload_requests import read_upload_request

DEFAULT_WAIT_SECONDS = 20.0
MAX_WAIT_SECONDS = 25
"""Seconds to wait for the job (our API): the rest of the gateway's 30 s is for storing the file and a cold
start. S3 may take longer for the file, and then the wait is shorter.
"""

RESERVED_SECONDS = 4.0
"""Kept of the function's time for the last look at the job, which may take three, and to answer."""

app = api()
claims = ClaimSettings.from_environment()
database = Database(DatabaseSettings.from_environment(), "import_leads")
bucket = Bucket.from_settings(BucketSettings.from_environment(), INTERACTIVE)


@app.post("/api/v1/leads/import")
def post_import() -> Response[str]:
    """Stores the file and answers with its job, ended or not; again, with the job of the first time."""
    principal = principal_of(app.current_event, claims)
    key = idempotency_key(app.current_event.headers)
    request = read_import_request(app.current_event)
    wished = preference(app.current_event.headers, default=DEFAULT_WAIT_SECONDS, most=MAX_WAIT_SECONDS)
    view = import_leads(
        principal,
        request.order,
        request.content,
        key=key,
        wait=wished.wait,
        seconds=app.lambda_context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS,
        database=database,
        bucket=bucket,
    )
    logger.info("file stored", status=view.job.status, bytes=len(request.content))
    return _answer(view, wished)


@app.post("/api/v1/leads/import/uploads")
def post_upload() -> Response[str]:
    """Records a job whose file is too large for a request, and says where to put it."""
    principal = principal_of(app.current_event, claims)
    key = idempotency_key(app.current_event.headers)
    order = read_upload_request(app.current_event)
    upload = create_upload(principal, order, key=key, database=database, bucket=bucket)
    logger.info("upload prepared")
    headers = {"Location": f"{HISTORY_PATH}/{upload.job_id}"}
    return answer(HTTPStatus.CREATED, UploadCreated.of(upload).to_json(), headers)


def _answer(view: ImportView, wished: Preference) -> Response[str]:
    job = view.job
    if job.status is JobStatus.FAILED:
        ours = job.failure_code is not None and job.failure_code.internal
        status = HTTPStatus.INTERNAL_SERVER_ERROR if ours else HTTPStatus.BAD_REQUEST
        return problem(app, status, job.failure_reason or "", headers=wished.headers, importJobId=job.id)
    body = ImportResult.of(view).to_json()
    if job.status is JobStatus.COMPLETED:
        return answer(HTTPStatus.OK, body, wished.headers)
    headers = {"Location": f"{HISTORY_PATH}/{job.id}", "Retry-After": "1"} | wished.headers
    return answer(HTTPStatus.ACCEPTED, body, headers)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point of the Lambda; an API Gateway HTTP API event, payload format 2.0."""
    try:
        return app.resolve(event, context)
    finally:
        flush_metrics()


started()
