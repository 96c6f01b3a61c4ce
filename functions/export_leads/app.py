"""GET /api/v1/leads/export: filters and columns in, a link to the CSV file out. …/{id} and …/history show
exports.
"""

from leads.cold_start import started

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.domain.job_status import JobStatus
from leads.jobs.bodies import ExportResult, ExportSummary
from leads.jobs.views import ExportView
from leads.observability import flush_metrics, increment, logger, record_duration
from leads.postgres.connection import Database
from leads.s3.bucket import Bucket
from leads.s3.timeouts import INTERACTIVE
from leads.settings import BucketSettings, ClaimSettings, DatabaseSettings
from leads.use_cases.export_leads import export_leads, get_export, list_exports
from leads.web.auth import principal_of
from leads.web.export_requests import read_export_request
from leads.web.history_requests import EXPORT_HISTORY_PATH, EXPORT_PATH, read_history_request, read_job_id
from leads.web.parameters import Preference, asks_for_json, preference, refuse_unknown
from leads.web.resolver import answer, api

MAX_WAIT_SECONDS = 20
"""Seconds that an export may stream before its caller gets an answer (our API): the rest of the gateway's
30 s is for handing over and a cold start.
"""

RESERVED_SECONDS = 8.0
"""Kept of the function's time to drop what was uploaded and hand over."""

ANSWER_SECONDS = 4.0
"""Kept of them to tell that the export failed, when S3 has taken the others."""

_NO_STORE = {"Cache-Control": "no-store"}
"""The answer holds a link that needs no sign-in: it must not stay in a cache."""

app = api()
claims = ClaimSettings.from_environment()
database = Database(DatabaseSettings.from_environment(), "export_leads")
bucket = Bucket.from_settings(BucketSettings.from_environment(), INTERACTIVE)


@app.get(EXPORT_PATH)
def get_leads() -> Response[str]:
    """Makes the file and points to it: a redirect for who follows links, 200 for who asks for JSON; 202 and
    where to ask again when it takes longer.
    """
    principal = principal_of(app.current_event, claims)
    order = read_export_request(app.current_event.query_string_parameters)
    wished = preference(app.current_event.headers, default=MAX_WAIT_SECONDS, most=MAX_WAIT_SECONDS)
    left = app.lambda_context.get_remaining_time_in_millis() / 1000
    wait = max(0.0, min(wished.wait, left - RESERVED_SECONDS))
    began = time.monotonic()
    view = export_leads(
        principal,
        order,
        wait=wait,
        database=database,
        bucket=bucket.within(left - ANSWER_SECONDS),
        now=datetime.now(UTC),
    )
    job = view.job
    logger.info("leads exported", status=job.status, rows=job.row_count, bytes=job.size_bytes)
    if job.status is JobStatus.COMPLETED:
        increment("ExportsCompleted")
        increment("RowsExported", job.row_count)
        record_duration("ExportSeconds", time.monotonic() - began)
    else:
        increment("ExportsHandedOver")
    return _answer(view, wished)


@app.get(EXPORT_HISTORY_PATH)
def get_history() -> Response[str]:
    """Who exported what and when: a page of exports, and a link to the next one when there is one."""
    principal = principal_of(app.current_event, claims)
    page = read_history_request(app.current_event.query_string_parameters)
    jobs, next_before = list_exports(
        principal, database=database, limit=page.limit, before=page.before, status=page.status
    )
    body = f"[{','.join(ExportSummary.of(job).to_json() for job in jobs)}]"
    link = page.next_link(EXPORT_HISTORY_PATH, next_before) if next_before is not None else None
    return answer(HTTPStatus.OK, body, link)


@app.get(f"{EXPORT_PATH}/<id>")
def get_one(id: str) -> Response[str]:
    """One export, with a fresh link once its file is there."""
    principal = principal_of(app.current_event, claims)
    refuse_unknown(app.current_event.query_string_parameters, ())
    view = get_export(principal, read_job_id(id, "export"), database=database, bucket=bucket)
    waiting = {} if view.job.ended else {"Retry-After": "1"}
    return answer(HTTPStatus.OK, ExportResult.of(view).to_json(), _NO_STORE | waiting)


def _answer(view: ExportView, wished: Preference) -> Response[str]:
    body = ExportResult.of(view).to_json()
    headers = _NO_STORE | wished.headers
    if view.job.status is not JobStatus.COMPLETED or view.url is None:
        headers |= {"Location": f"{EXPORT_PATH}/{view.job.id}", "Retry-After": "1"}
        return answer(HTTPStatus.ACCEPTED, body, headers)
    if asks_for_json(app.current_event.headers):
        return answer(HTTPStatus.OK, body, headers)
    return answer(HTTPStatus.SEE_OTHER, body, headers | {"Location": view.url})


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point of the Lambda; an API Gateway HTTP API event, payload format 2.0."""
    try:
        return app.resolve(event, context)
    finally:
        flush_metrics()


started()
