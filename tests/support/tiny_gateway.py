"""Serve the tiny service by the laptop's gateway, without Postgres and S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from local.aws.authorizer import JwtAuthorizer, TokenIssuer
from local.aws.gateway import Gateway
from local.aws.lambda_environments import LambdaEnvironments
from local.template.deployment import load_template
from tests.support.tiny_service import write_service

Ask = Callable[..., urllib3.BaseHTTPResponse]


class TinyGateway:
    """Hold a gateway, the issuer of its tokens, one token, and the lines of its access log."""

    def __init__(self, gateway: Gateway, issuer: TokenIssuer, lines: list[str]) -> None:
        self.gateway = gateway
        self.issuer = issuer
        self.lines = lines
        self.port = int(gateway.url.rsplit(":", 1)[1])
        self.token = issuer.issue({"sub": "ana"})


@contextmanager
def tiny_gateway(directory: Path) -> Iterator[TinyGateway]:
    """Serve the tiny service from this directory."""
    template = load_template(write_service(directory), {"JwtIssuer": "https://issuer"}, stack_name="tiny")
    issuer = TokenIssuer.create(directory)
    lines: list[str] = []
    with LambdaEnvironments(template.functions, directory / "logs", {}) as functions:
        authorizer = JwtAuthorizer(issuer.public_key)
        gateway = Gateway(template.functions, authorizer, functions.invoke, port=0, access_log=lines.append)
        try:
            yield TinyGateway(gateway, issuer, lines)
        finally:
            gateway.close()


@contextmanager
def asking(service: TinyGateway) -> Iterator[Ask]:
    """Yield a function that calls the service: `ask(method, path, token=…, **options of urllib3)`."""
    with urllib3.PoolManager(retries=False) as http:

        def ask(
            method: str, path: str, token: str | None = service.token, **options: Any
        ) -> urllib3.BaseHTTPResponse:
            headers = dict(options.pop("headers", {}))
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            return http.request(method, service.gateway.url + path, headers=headers, **options)

        yield ask
