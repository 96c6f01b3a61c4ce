"""Logging in with IAM tokens, which the embedded Postgres cannot check: what asks for one, and who may."""

import dataclasses

import pytest

from leads.postgres import iam_token
from leads.postgres.connection import Connection
from leads.postgres.migrations import ensure_app_role
from tests.support.service import APP_PASSWORD, Service, database_settings


def test_each_connection_asks_for_a_token_of_its_host_and_role(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, str]] = []

    def token(host: str, port: int, user: str) -> str:
        asked.append((host, port, user))
        return APP_PASSWORD

    monkeypatch.setattr(iam_token, "iam_token", token)
    settings = dataclasses.replace(database_settings(service.postgres, "leads_app", ""), password=None)
    for _ in range(2):
        with Connection(settings, "test") as connection:
            assert connection.query_value("SELECT current_user") == "leads_app"
    assert asked == [(service.postgres.host, service.postgres.port, "leads_app")] * 2


def test_role_without_a_password_may_log_in_with_tokens(service: Service) -> None:
    # Aurora has the role that lets in with tokens; here it is made for this test.
    with service.owner() as owner, owner.transaction():
        owner.execute("CREATE ROLE rds_iam NOLOGIN")
        ensure_app_role(owner, None)
        assert owner.query_value("SELECT pg_has_role('leads_app', 'rds_iam', 'MEMBER')") is True
