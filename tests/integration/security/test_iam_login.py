"""Check the log-in with IAM tokens: the connections that request one, and the roles that may use one.

The embedded Postgres cannot check a token.
"""

import dataclasses

import pytest

from leads.postgres import iam_token
from leads.postgres.connection import Connection
from leads.postgres.migrations import ensure_app_role
from tests.support.service import APP_PASSWORD, Service, database_settings


def test_connection_requests_a_token_of_its_host_and_role(
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
    # Aurora has the role rds_iam. Here the test creates it.
    with service.owner() as owner, owner.transaction():
        owner.execute("CREATE ROLE rds_iam NOLOGIN")
        ensure_app_role(owner, None)
        assert owner.query_value("SELECT pg_has_role('leads_app', 'rds_iam', 'MEMBER')") is True
