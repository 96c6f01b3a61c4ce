"""Create events as API Gateway's HTTP API sends them, payload format 2.0."""

import base64
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

CLAIMS = {"sub": "u-1", "email": "ana@acme.example", "custom:org_id": "acme", "custom:role": "ADMIN"}


def raw_event(
    body: bytes | str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    claims: Mapping[str, object] | None = None,
    route: str = "POST /api/v1/leads/import",
) -> dict[str, Any]:
    """Create an event. Bytes are sent as base64 and text as it is, as the gateway does by the body's type."""
    method, path = route.split(" ")
    event: dict[str, Any] = {
        "version": "2.0",
        "rawPath": path,
        "headers": {name.lower(): value for name, value in (headers or {}).items()},
        "requestContext": {
            "requestId": "request-1",
            "stage": "$default",
            "http": {"method": method, "path": path},
            "authorizer": {"jwt": {"claims": dict(CLAIMS if claims is None else claims), "scopes": None}},
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if body is not None:
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    if query is not None:
        event["queryStringParameters"] = dict(query)
    return event


def http_event(
    body: bytes | str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    claims: Mapping[str, object] | None = None,
) -> APIGatewayProxyEventV2:
    """Create the same event as the handlers see it."""
    return APIGatewayProxyEventV2(raw_event(body, headers=headers, query=query, claims=claims))
