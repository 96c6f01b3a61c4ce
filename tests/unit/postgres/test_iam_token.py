"""Tokens are those that boto3 makes, made without loading what it knows of RDS."""

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
    """As Lambda gives them, and a clock that stands."""
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


def test_token_is_the_one_that_boto3_makes() -> None:
    host, port, user = "leads.cluster-x.eu-west-3.rds.amazonaws.com", 5432, "leads_app"
    # A session of its own: the default one keeps the credentials that some test before had.
    rds = boto3.Session().client("rds")
    expected = rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    assert "X-Amz-Signature=" in expected
    assert iam_token(host, port, user) == expected


def test_token_is_of_one_host_and_one_user() -> None:
    tokens = {iam_token(host, 5432, user) for host in ("a", "b") for user in ("leads_app", "leads_owner")}
    signatures = {token.rpartition("X-Amz-Signature=")[2] for token in tokens}
    assert len(signatures) == 4
