"""Translate HTTP to a Lambda event and a function's answer to HTTP, in payload format 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from werkzeug import Response

from local.aws.s3 import ACCOUNT_ID

API_ID = "laptop"
_TEXT_TYPES = ("application/json", "application/javascript", "application/xml")


@dataclass(frozen=True)
class Request:
    """Hold a request as it was sent. `target` is the path with its query."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    source_ip: str

    @property
    def path(self) -> str:
        """The path as sent, still percent-encoded."""
        return self.target.partition("?")[0]


def build_event(
    request: Request,
    route_key: str,
    path_parameters: Mapping[str, str],
    claims: Mapping[str, str] | None,
    request_id: str,
) -> dict[str, Any]:
    """Return the event of a request. It omits what the request does not have, such as a query or a body."""
    headers = _joined((name.lower(), _as_utf8(value)) for name, value in request.headers)
    cookies = headers.pop("cookie", "")
    headers["x-forwarded-for"] = request.source_ip
    headers["x-forwarded-proto"] = "http"
    raw_path = unquote(request.path, errors="replace")
    query = request.target.partition("?")[2]
    now = time.time()
    host = headers.get("host", "")
    context: dict[str, Any] = {
        "accountId": ACCOUNT_ID,
        "apiId": API_ID,
        "domainName": host.partition(":")[0],
        "domainPrefix": host.partition(":")[0].partition(".")[0],
        "http": {
            "method": request.method,
            "path": raw_path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    if claims is not None:
        context["authorizer"] = {"jwt": {"claims": dict(claims), "scopes": None}}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = [cookie.strip() for cookie in cookies.replace(",", ";").split(";")]
    if parameters := _joined(parse_qsl(query, keep_blank_values=True, errors="replace")):
        event["queryStringParameters"] = parameters
    if path_parameters:
        event["pathParameters"] = dict(path_parameters)
    if request.body:
        is_text = _is_text(headers.get("content-type", ""))
        event["isBase64Encoded"] = not is_text
        event["body"] = (
            request.body.decode(errors="replace")
            if is_text
            else base64.b64encode(request.body).decode("ascii")
        )
    return event


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join the values of a repeated name by commas."""
    values: dict[str, str] = {}
    for name, value in pairs:
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def _as_utf8(value: str) -> str:
    """Decode a header as UTF-8, which clients send. http.server reads it as Latin-1."""
    return value.strip().encode("latin-1", "replace").decode(errors="replace")


def _is_text(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXT_TYPES


def read_response(payload: bytes) -> Response:
    """Return the response that a function's JSON describes. Raise ValueError if it describes none."""
    answer = json.loads(payload)
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return Response(payload, 200, content_type="application/json")
    try:
        status = int(answer["statusCode"])
    except TypeError as error:
        raise ValueError("statusCode is not a number") from error
    if not 100 <= status <= 599:
        raise ValueError(f"statusCode is {status}")
    headers, cookies, body = (
        answer.get("headers") or {},
        answer.get("cookies") or [],
        answer.get("body") or "",
    )
    if not (isinstance(headers, dict) and isinstance(cookies, list) and isinstance(body, str)):
        raise ValueError("headers, cookies or body are of the wrong type")
    # The server adds these itself.
    sent = [(n, _header(v)) for n, v in headers.items() if n.lower() not in ("date", "connection")]
    if not any(name.lower() == "content-type" for name, _ in sent):
        sent.append(("Content-Type", "text/plain;charset=UTF-8"))
    sent += [("Set-Cookie", _header(cookie)) for cookie in cookies]
    content = base64.b64decode(body, validate=True) if answer.get("isBase64Encoded") else body.encode()
    return Response(content, status, sent)


def _header(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float) or "\n" in str(value) or "\r" in str(value):
        raise ValueError("a header is not a single line")
    # API Gateway sends UTF-8, but http.server writes Latin-1.
    return str(value).encode().decode("latin-1")
