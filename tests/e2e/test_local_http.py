"""Test the laptop's gateway: its limits, misbehaving clients, and the responses of functions."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import urllib3

from local.aws import gateway as gateway_module
from local.aws.authorizer import JwtAuthorizer
from local.aws.gateway import Gateway, PortInUse
from tests.support.tiny_gateway import Ask, TinyGateway, asking, tiny_gateway


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyGateway]:
    with tiny_gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def ask(service: TinyGateway) -> Iterator[Ask]:
    with asking(service) as function:
        yield function


@pytest.mark.parametrize(
    ("size", "status"), [(4_700_000, 200), (4_720_000, 413), (12_000_000, 413), (40_000_000, 413)]
)
def test_event_over_6_mb_is_413(ask: Ask, size: int, status: int) -> None:
    response = ask("POST", "/probe", body=bytes(size), headers={"Content-Type": "application/octet-stream"})

    assert response.status == status
    if status == 413:
        assert response.json() == {"message": "Request Entity Too Large"}


def test_chunked_body_over_10_mb_is_413(ask: Ask) -> None:
    response = ask("POST", "/probe", body=(bytes(1_000_000) for _ in range(12)))

    assert response.status == 413


def _converse(service: TinyGateway, *parts: bytes) -> bytes:
    """Send each part after the one before it was answered, and return all answers until the end."""
    answer = b""
    with socket.create_connection(("127.0.0.1", service.port), 5) as connection:
        for part in parts:
            connection.sendall(part)
            answer += connection.recv(65536)
        while more := connection.recv(65536):
            answer += more
    return answer


def test_expect_100_continue_is_answered_at_once(service: TinyGateway) -> None:
    head = (
        f"POST /probe?do=event HTTP/1.1\r\nHost: x\r\nAuthorization: {service.token}\r\n"
        "Content-Type: text/csv\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    started_at = time.monotonic()

    answer = _converse(service, head.encode(), b"hello")

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert b'"body": "hello"' in answer
    assert time.monotonic() - started_at < 0.9, "curl sends after a second without an answer"


def test_expect_100_continue_over_10_mb_is_413(service: TinyGateway) -> None:
    head = "POST /probe HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\nExpect: 100-continue\r\n\r\n"

    answer = _converse(service, head.encode())

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 ")


@pytest.mark.parametrize(
    "request_text",
    [
        "nonsense\r\n\r\n",
        "POST /probe HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        "POST /probe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /probe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
)
def test_malformed_request_is_400(service: TinyGateway, request_text: str) -> None:
    answer = _converse(service, request_text.encode())

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"}")


def test_disconnected_client_logs_nothing(
    service: TinyGateway, ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    for text in (
        "POST /probe HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf",
        "GET /probe?do=sleep&seconds=0.2 HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", service.port), 5) as connection:
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )  # Ends by a reset.
            connection.sendall(text.encode())
            time.sleep(0.05)
    time.sleep(0.3)

    assert ask("GET", "/probe").status == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("query", ["do=raise&message=secret", "do=exit&status=1"])
def test_failed_function_is_500_without_reason(ask: Ask, query: str) -> None:
    response = ask("GET", f"/probe?{query}")

    assert response.status == 500
    assert response.json() == {"message": "Internal Server Error"}


def _answered(ask: Ask, answer: Any) -> urllib3.BaseHTTPResponse:
    return ask("GET", f"/probe?do=answer&answer={quote(json.dumps(answer))}", redirect=False)


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "many"},
        {"statusCode": 99},
        {"statusCode": None},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "headers": {"a": "b\r\nSet-Cookie: c"}},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
    ],
)
def test_malformed_response_is_500(ask: Ask, answer: Any) -> None:
    response = _answered(ask, answer)

    assert response.status == 500
    assert response.json() == {"message": "Internal Server Error"}


def test_response_is_sent_unchanged(ask: Ask) -> None:
    response = _answered(
        ask,
        {
            "statusCode": 303,
            "headers": {"Location": "/x", "X-Count": 5, "X-Name": "é", "Content-Length": "9"},
            "cookies": ["a=1", "b=2"],
            "body": base64.b64encode(b"\xff\x00").decode(),
            "isBase64Encoded": True,
        },
    )

    assert response.status == 303
    assert response.headers["location"] == "/x"
    assert response.headers["x-count"] == "5"
    assert response.headers["x-name"].encode("latin-1").decode() == "é"
    assert response.headers.getlist("set-cookie") == ["a=1", "b=2"]
    assert response.headers["content-type"] == "text/plain;charset=UTF-8"
    assert response.headers["content-length"] == "2"
    assert "date" in response.headers
    assert "server" not in response.headers
    assert response.reason == "See Other"
    assert response.data == b"\xff\x00"


def test_response_without_status_is_a_json_body(ask: Ask) -> None:
    response = _answered(ask, {"body": "mine"})

    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"body": "mine"}


def test_status_204_has_no_body(ask: Ask) -> None:
    response = _answered(ask, {"statusCode": 204})

    assert response.status == 204
    assert response.data == b""
    assert "content-length" not in response.headers


def test_function_over_gateway_timeout_is_503(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "WAIT_SECONDS", 0.1)

    response = ask("GET", "/probe?do=sleep&seconds=0.4")

    assert response.status == 503
    assert response.json() == {"message": "Service Unavailable"}


def test_requests_are_served_side_by_side(ask: Ask) -> None:
    started_at = time.monotonic()

    with ThreadPoolExecutor() as callers:
        responses = list(callers.map(lambda _: ask("GET", "/probe?do=sleep&seconds=1"), range(3)))

    assert [response.status for response in responses] == [200, 200, 200]
    assert time.monotonic() - started_at < 2.5


def test_access_log_omits_query(ask: Ask, service: TinyGateway) -> None:
    ask("GET", "/probe?phone=0612345678")

    assert service.lines[-1].startswith("GET /probe 200 ")


def test_port_in_use_is_refused(service: TinyGateway) -> None:
    authorizer = JwtAuthorizer(service.issuer.public_key)

    with pytest.raises(PortInUse, match=f"port {service.port} is in use"):
        Gateway([], authorizer, lambda name, event: pytest.fail("invoked"), port=service.port)
