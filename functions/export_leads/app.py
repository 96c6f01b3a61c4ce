"""Serve GET /api/v1/leads/export, which exports leads, and …/{id} and …/history, which return exports."""

from leads.cold_start import started

import time
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.domain.job_status import JobStatus
from leads.jobs.bodies import ExportResult, ExportSummary
from leads.jobs.stores import Stores
from leads.jobs.views import ExportView
from leads.observability import flush_metrics, increment, logger, record_duration
from leads.postgres.connection import Database
from leads.s3.bucket import Bucket
from leads.s3.timeouts import INTERACTIVE
from leads.settings import BucketSettings, ClaimSettings, DatabaseSettings
from leads.use_cases.export_leads import export_leads, get_export, list_exports
from leads.web.auth import principal_of
from leads.web.export_requests import read_export_request
from leads.web.history_requests import (
    EXPORT_HISTORY_PATH,
    EXPORT_PATH,
    next_link,
    read_history_request,
    read_job_id,
)
from leads.web.parameters import Preference, asks_for_json, read_preference, refuse_unknown
from leads.web.resolver import create_resolver, json_response

MAX_WAIT_SECONDS = 20
"""Longest wait for the export's end, and the default. Clients of the API rely on it.

The gateway times out after 30 s: the other 10 are for a cold start and RESERVED_SECONDS. With more, callers
get the gateway's 503. With less, more of them must poll.
"""

RESERVED_SECONDS = 8.0
"""Reserved of the function's time to abort the upload and hand the export over to process_export.

With less, Lambda may kill the function first; expire_jobs then ends the export as FAILED.
"""

ANSWER_SECONDS = 4.0
"""Part of RESERVED_SECONDS that S3 must not use: time to record that the export failed, and to respond."""

_NO_STORE = {"Cache-Control": "no-store"}
"""The response holds a link that needs no sign-in, so no cache may store it."""

app = create_resolver()
claims = ClaimSettings.from_environment()
database = Database(DatabaseSettings.from_environment(), "export_leads")
bucket = Bucket.from_settings(BucketSettings.from_environment(), INTERACTIVE)


@app.get(EXPORT_PATH)
def get_leads() -> Response[str]:
    """Write the file and return its link: as a redirect, or as JSON if the Accept header asks for it.

    An export that takes longer than the wait is answered with 202 and the address to poll.
    """
    principal = principal_of(app.current_event, claims)
    order = read_export_request(app.current_event.query_string_parameters)
    preference = read_preference(
        app.current_event.headers, default_wait=MAX_WAIT_SECONDS, max_wait=MAX_WAIT_SECONDS
    )
    remaining = app.lambda_context.get_remaining_time_in_millis() / 1000
    wait = max(0.0, min(preference.wait_seconds, remaining - RESERVED_SECONDS))
    started_at = time.monotonic()
    view = export_leads(
        principal, order, Stores(database, bucket.within(remaining - ANSWER_SECONDS)), wait=wait
    )
    job = view.job
    logger.info("leads exported", status=job.status, rows=job.row_count, bytes=job.size_bytes)
    if job.status is JobStatus.COMPLETED:
        increment("ExportsCompleted")
        increment("RowsExported", job.row_count)
        record_duration("ExportSeconds", time.monotonic() - started_at)
    else:
        increment("ExportsHandedOver")
    return _answer(view, preference)


@app.get(EXPORT_HISTORY_PATH)
def get_history() -> Response[str]:
    """Return a page of exports with their users, and a link to the next page if there is one."""
    principal = principal_of(app.current_event, claims)
    page = read_history_request(app.current_event.query_string_parameters)
    jobs, next_before = list_exports(principal, page, Stores(database, bucket))
    body = f"[{','.join(ExportSummary.of(job).to_json() for job in jobs)}]"
    return json_response(HTTPStatus.OK, body, next_link(EXPORT_HISTORY_PATH, page, next_before))


@app.get(f"{EXPORT_PATH}/<id>")
def get_one(id: str) -> Response[str]:
    """Return one export, with a new link if its file is complete."""
    principal = principal_of(app.current_event, claims)
    refuse_unknown(app.current_event.query_string_parameters, ())
    view = get_export(principal, read_job_id(id, "export"), Stores(database, bucket))
    waiting = {} if view.job.ended else {"Retry-After": "1"}
    return json_response(HTTPStatus.OK, ExportResult.of(view).to_json(), _NO_STORE | waiting)


def _answer(view: ExportView, preference: Preference) -> Response[str]:
    body = ExportResult.of(view).to_json()
    headers = _NO_STORE | preference.headers
    if view.job.status is not JobStatus.COMPLETED or view.url is None:
        headers |= {"Location": f"{EXPORT_PATH}/{view.job.id}", "Retry-After": "1"}
        return json_response(HTTPStatus.ACCEPTED, body, headers)
    if asks_for_json(app.current_event.headers):
        return json_response(HTTPStatus.OK, body, headers)
    return json_response(HTTPStatus.SEE_OTHER, body, headers | {"Location": view.url})


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle an event of an API Gateway HTTP API, payload format 2.0."""
    try:
        return app.resolve(event, context)
    finally:
        flush_metrics()


started()
