"""Test the laptop's gateway: routes, tokens, and the events of requests."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa

from local.aws.authorizer import TokenIssuer
from tests.support.tiny_gateway import Ask, TinyGateway, asking, tiny_gateway


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyGateway]:
    with tiny_gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def ask(service: TinyGateway) -> Iterator[Ask]:
    with asking(service) as function:
        yield function


def _event(response: urllib3.BaseHTTPResponse) -> Any:
    assert response.status == 200, response.data
    return response.json()


def test_event_has_payload_format_2(ask: Ask) -> None:
    path = "/probe?do=event&a=1&a=2&empty=&name=%C3%A9t%C3%A9"
    headers = {"X-Tag": "Zürich".encode(), "Cookie": "a=1; b=2", "User-Agent": "probe/1"}

    event = _event(ask("GET", path, headers=headers))

    assert event["version"] == "2.0"
    assert event["routeKey"] == "GET /probe"
    assert event["rawPath"] == "/probe"
    assert event["rawQueryString"] == path.split("?")[1]
    assert event["queryStringParameters"] == {"do": "event", "a": "1,2", "empty": "", "name": "été"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-tag"] == "Zürich"
    assert "cookie" not in event["headers"]
    assert "pathParameters" not in event
    assert "body" not in event
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["http"] == {
        "method": "GET",
        "path": "/probe",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "probe/1",
    }
    assert context["stage"] == "$default"
    assert context["authorizer"]["jwt"]["scopes"] is None
    claims = context["authorizer"]["jwt"]["claims"]
    assert claims["sub"] == "ana"
    assert claims["exp"].isdigit(), "API Gateway passes every claim as a string"
    assert abs(context["timeEpoch"] / 1000 - time.time()) < 60


def test_path_parameters_are_decoded_and_literal_routes_win(ask: Ask) -> None:
    event = _event(ask("GET", "/probe/a%20b%2Fc?do=event"))
    assert event["routeKey"] == "GET /probe/{id}"
    assert event["pathParameters"] == {"id": "a b/c"}

    assert _event(ask("GET", "/probe/special?do=event"))["routeKey"] == "GET /probe/special"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("GET", "/"),
        ("GET", "/probe/"),
        ("GET", "/probe/1/2"),
        ("DELETE", "/probe"),
        ("OPTIONS", "/probe"),
        ("HEAD", "/probe"),
        ("BREW", "/probe"),
    ],
)
def test_unknown_route_is_404_without_token(ask: Ask, method: str, path: str) -> None:
    response = ask(method, path, token=None)

    assert response.status == 404
    if method != "HEAD":
        assert response.json() == {"message": "Not Found"}
    assert response.headers["apigw-requestid"]


def _tokens(issuer: TokenIssuer) -> dict[str, str]:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    body = issuer.issue({"sub": "ana"}).split(".")[1]
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    claims = jwt.decode(issuer.issue({}), options={"verify_signature": False})
    return {
        "nonsense": "nonsense",
        "expired": issuer.issue({"exp": now - 1}),
        "without expiry": issuer.issue({"exp": None}),
        "not valid yet": issuer.issue({"nbf": now + 600}),
        "issued in the future": issuer.issue({"iat": now + 600}),
        "of another issuer": issuer.issue({"iss": "https://elsewhere.example"}),
        "for another audience": issuer.issue({"aud": "another"}),
        "for no audience": issuer.issue({"aud": None}),
        "signed by a stranger": TokenIssuer(stranger).issue({"sub": "ana"}),
        "unsigned": f"{unsigned}.{body}.",
        "signed with a shared secret": jwt.encode(claims, "x" * 32, algorithm="HS256"),
    }


def test_invalid_token_is_401(ask: Ask, service: TinyGateway) -> None:
    for what, token in {"missing": None, **_tokens(service.issuer)}.items():
        response = ask("GET", "/probe", token=token)

        assert response.status == 401, f"a token that is {what}"
        assert response.json() == {"message": "Unauthorized"}
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "{}"])
def test_bearer_prefix_is_optional(ask: Ask, service: TinyGateway, form: str) -> None:
    headers = {"Authorization": form.format(service.token)}

    assert ask("GET", "/probe", token=None, headers=headers).status == 200


def test_audience_may_be_a_list_or_the_client_id(ask: Ask, service: TinyGateway) -> None:
    audience = jwt.decode(service.token, options={"verify_signature": False})["aud"]
    several = service.issuer.issue({"aud": ["another", audience], "groups": ["a", "b"], "admin": True})
    client = service.issuer.issue({"aud": None, "client_id": audience})

    claims = _event(ask("GET", "/probe?do=event", token=several))["requestContext"]["authorizer"]["jwt"][
        "claims"
    ]

    assert claims["aud"] == f"[another {audience}]"
    assert claims["groups"] == "[a b]"
    assert claims["admin"] == "true"
    assert ask("GET", "/probe", token=client).status == 200


def test_route_without_authorizer_needs_no_token(ask: Ask) -> None:
    assert "authorizer" not in _event(ask("GET", "/open?do=event", token=None))["requestContext"]


@pytest.mark.parametrize(
    "kind",
    [
        "text/csv",
        "text/plain; charset=latin-1",
        "application/json",
        "application/xml",
        "application/javascript",
    ],
)
def test_text_body_is_a_string_with_invalid_bytes_replaced(ask: Ask, kind: str) -> None:
    event = _event(ask("POST", "/probe?do=event", body=b"h\xc3\xa9 \xff", headers={"Content-Type": kind}))

    assert event["isBase64Encoded"] is False
    assert event["body"] == "hé \ufffd"


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/x-www-form-urlencoded", None])
def test_binary_body_is_base64(ask: Ask, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}

    event = _event(ask("POST", "/probe?do=event", body=b"h\xff", headers=headers))

    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"h\xff"


def test_multipart_body_is_base64(ask: Ask) -> None:
    event = _event(ask("POST", "/probe?do=event", fields={"file": ("a.csv", b"name\n\xe9", "text/csv")}))

    assert event["isBase64Encoded"] is True
    assert b"\xe9" in base64.b64decode(event["body"])


def test_chunked_body_is_joined(ask: Ask) -> None:
    event = _event(
        ask("POST", "/probe?do=event", body=iter([b"a" * 70_000, b"b"]), headers={"Content-Type": "text/csv"})
    )

    assert event["body"] == "a" * 70_000 + "b"
