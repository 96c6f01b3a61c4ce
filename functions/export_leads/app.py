"""GET /api/v1/leads/export: filters and columns in, a link to the CSV file out."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.observability import logger
from leads.postgres.connection import Database
from leads.s3.bucket import Bucket
from leads.settings import BucketSettings, ClaimSettings, DatabaseSettings
from leads.use_cases.export_leads import export_leads
from leads.web.auth import principal_of
from leads.web.export_requests import read_export_request
from leads.web.parameters import asks_for_json
from leads.web.resolver import answer, api
from leads.web.schemas import ExportResult

app = api()
claims = ClaimSettings.from_environment()
database = Database(DatabaseSettings.from_environment(), "export_leads")
bucket = Bucket.from_settings(BucketSettings.from_environment())


@app.get("/api/v1/leads/export")
def get_export() -> Response[str]:
    """Makes the file and points to it: a redirect for who follows links, 200 for who asks for JSON."""
    principal = principal_of(app.current_event, claims)
    leads, columns = read_export_request(app.current_event.query_string_parameters)
    export = export_leads(principal, leads, columns, database=database, bucket=bucket, now=datetime.now(UTC))
    logger.info("leads exported", export_job_id=export.id, rows=export.row_count, bytes=export.size_bytes)
    body = ExportResult.of(export).to_json()
    # The answer holds a link that needs no sign-in: it must not stay in a cache.
    headers = {"Cache-Control": "no-store"}
    if asks_for_json(app.current_event.headers):
        return answer(HTTPStatus.OK, body, headers)
    return answer(HTTPStatus.SEE_OTHER, body, headers | {"Location": export.url})


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point of the Lambda; an API Gateway HTTP API event, payload format 2.0."""
    return app.resolve(event, context)
