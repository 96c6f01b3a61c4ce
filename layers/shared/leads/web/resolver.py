"""Resolve API Gateway's events to routes, and map each error to its HTTP response in one table.

Errors are problem documents (RFC 9457). An internal error is logged, and its response has no details.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import ServiceError

from leads.errors import (
    FieldError,
    FileTooLarge,
    Forbidden,
    InvalidRequest,
    KeyReused,
    LeadsError,
    NotFound,
    Unauthenticated,
    UnsupportedMediaType,
)
from leads.observability import logger, stack_without_message

PROBLEM_JSON: Final = "application/problem+json"

_STATUSES: Final[Sequence[tuple[type[LeadsError], HTTPStatus]]] = (
    (InvalidRequest, HTTPStatus.BAD_REQUEST),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (KeyReused, HTTPStatus.CONFLICT),
    (FileTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (UnsupportedMediaType, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
)

_INTERNAL_ERROR: Final = (
    "An internal error occurred. Try again; if it persists, contact support with the requestId."
)


def create_resolver() -> APIGatewayHttpResolver:
    """Return a resolver that answers every error with a problem document."""
    app = APIGatewayHttpResolver()

    def known(error: LeadsError) -> Response[str]:
        for kind, status in _STATUSES:
            if isinstance(error, kind):
                errors = error.errors if isinstance(error, InvalidRequest) else ()
                return problem_response(app, status, str(error), errors)
        logger.error("service fault", fault=str(error), stack=stack_without_message(error))
        return problem_response(app, HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL_ERROR)

    def unknown(error: Exception) -> Response[str]:
        if isinstance(error, ServiceError):
            # Powertools raises it, for example for an unknown route. Without this it would become a 500.
            return problem_response(app, HTTPStatus(error.status_code), str(error.msg))
        logger.error("unexpected error", error=type(error).__name__, stack=stack_without_message(error))
        return problem_response(app, HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL_ERROR)

    app.exception_handler(LeadsError)(known)
    app.exception_handler(Exception)(unknown)
    return app


def problem_response(
    app: APIGatewayHttpResolver,
    status: HTTPStatus,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> Response[str]:
    """Return a problem document. `members` are its extensions (RFC 9457, 3.2)."""
    document: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "requestId": app.current_event.request_context.request_id,
    }
    if errors:
        document["errors"] = [{"field": error.field, "message": error.message} for error in errors]
    body = json.dumps(document | members, ensure_ascii=False)
    return Response(status.value, PROBLEM_JSON, body, dict(headers or {}))


def json_response(status: HTTPStatus, body: str, headers: Mapping[str, str] | None = None) -> Response[str]:
    """Return a JSON body with its status and headers."""
    return Response(status.value, "application/json", body, dict(headers or {}))
