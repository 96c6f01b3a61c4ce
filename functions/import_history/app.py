"""Serve GET /api/v1/leads/import/history, an organisation's imports, and …/{id}, one of them."""

from leads.cold_start import started

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from leads.jobs.bodies import ImportDetails, ImportSummary
from leads.jobs.stores import Stores
from leads.observability import logger
from leads.postgres.connection import Database
from leads.s3.bucket import Bucket
from leads.settings import BucketSettings, ClaimSettings, DatabaseSettings
from leads.use_cases.import_history import get_import, list_imports
from leads.web.auth import principal_of
from leads.web.history_requests import HISTORY_PATH, next_link, read_history_request, read_job_id
from leads.web.parameters import refuse_unknown
from leads.web.resolver import create_resolver, json_response

app = create_resolver()
claims = ClaimSettings.from_environment()
database = Database(DatabaseSettings.from_environment(), "import_history")
bucket = Bucket.from_settings(BucketSettings.from_environment())


@app.get(HISTORY_PATH)
def get_history() -> Response[str]:
    """Return a page of imports, newest first, and a link to the next page if there is one."""
    principal = principal_of(app.current_event, claims)
    page = read_history_request(app.current_event.query_string_parameters)
    views, next_before = list_imports(principal, page, Stores(database, bucket))
    body = f"[{','.join(ImportSummary.of(view).to_json() for view in views)}]"
    return json_response(HTTPStatus.OK, body, next_link(HISTORY_PATH, page, next_before))


@app.get(f"{HISTORY_PATH}/<id>")
def get_history_item(id: str) -> Response[str]:
    """Return one import with its first faults."""
    principal = principal_of(app.current_event, claims)
    refuse_unknown(app.current_event.query_string_parameters, ())
    view = get_import(principal, read_job_id(id, "import"), Stores(database, bucket))
    return json_response(HTTPStatus.OK, ImportDetails.of(view).to_json())


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle an event of an API Gateway HTTP API, payload format 2.0."""
    return app.resolve(event, context)


started()
