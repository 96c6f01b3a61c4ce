"""Tokens equal those of boto3, without loading its description of RDS."""

import datetime
from collections.abc import Iterator

import boto3
import botocore.auth
import pytest

from leads.postgres import iam_token as module
from leads.postgres.iam_token import iam_token

NOW = datetime.datetime(2024, 1, 15, 10, 30)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set credentials as Lambda does, and stop the clock."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session",
        "AWS_DEFAULT_REGION": "eu-west-3",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)
    module._session.cache_clear()
    yield
    module._session.cache_clear()


def test_iam_token_equals_the_token_of_boto3() -> None:
    host, port, user = "leads.cluster-x.eu-west-3.rds.amazonaws.com", 5432, "leads_app"
    # The default session would have the credentials of an earlier test.
    rds = boto3.Session().client("rds")
    expected = rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    assert "X-Amz-Signature=" in expected
    assert iam_token(host, port, user) == expected


def test_iam_token_depends_on_host_and_user() -> None:
    tokens = {iam_token(host, 5432, user) for host in ("a", "b") for user in ("leads_app", "leads_owner")}
    signatures = {token.rpartition("X-Amz-Signature=")[2] for token in tokens}
    assert len(signatures) == 4
