"""The API resolver of the functions behind API Gateway, and the one table from our errors to HTTP answers.

Errors are problem documents (RFC 9457). What is not ours to explain is logged and answered as a bare 500.
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

_OUR_FAULT: Final = "Something failed on our side. Try again; if it stays, tell us the requestId."


def api() -> APIGatewayHttpResolver:
    """A resolver that answers every error with a problem document."""
    app = APIGatewayHttpResolver()

    def known(error: LeadsError) -> Response[str]:
        for kind, status in _STATUSES:
            if isinstance(error, kind):
                errors = error.errors if isinstance(error, InvalidRequest) else ()
                return problem(app, status, str(error), errors)
        logger.error("service fault", fault=str(error), stack=stack_without_message(error))
        return problem(app, HTTPStatus.INTERNAL_SERVER_ERROR, _OUR_FAULT)

    def unknown(error: Exception) -> Response[str]:
        if isinstance(error, ServiceError):
            # Powertools' own, such as a route it does not know: this handler would swallow them.
            return problem(app, HTTPStatus(error.status_code), str(error.msg))
        logger.error("unexpected error", error=type(error).__name__, stack=stack_without_message(error))
        return problem(app, HTTPStatus.INTERNAL_SERVER_ERROR, _OUR_FAULT)

    app.exception_handler(LeadsError)(known)
    app.exception_handler(Exception)(unknown)
    return app


def problem(
    app: APIGatewayHttpResolver,
    status: HTTPStatus,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    **members: object,
) -> Response[str]:
    """A problem document; `members` are its extensions (RFC 9457, 3.2)."""
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


def answer(status: HTTPStatus, body: str, headers: Mapping[str, str] | None = None) -> Response[str]:
    """A JSON answer."""
    return Response(status.value, "application/json", body, dict(headers or {}))
