"""Settings of the environment: each error names what is wrong, and all missing variables at once."""

import dataclasses

import pytest

from leads.errors import InvalidSettings, MissingSettings
from leads.settings import BucketSettings, ClaimSettings, DatabaseSettings, read_environment

DATABASE = {
    "DATABASE_HOST": "db.example",
    "DATABASE_PORT": "5433",
    "DATABASE_NAME": "leads",
    "DATABASE_USER": "leads_app",
    "DATABASE_TLS": "on",
    "DATABASE_AUTH": "password",
}
PASSWORD = DATABASE | {"DATABASE_PASSWORD": "p"}
BUCKET = {"BUCKET_NAME": "leads-bucket", "RESULT_DAYS": "7"}
KINDS = {
    DatabaseSettings: DATABASE,
    BucketSettings: BUCKET,
    ClaimSettings: {"ORGANISATION_CLAIM": "custom:org_id", "ROLE_CLAIM": "custom:role"},
}
Kind = type[DatabaseSettings] | type[BucketSettings] | type[ClaimSettings]


def test_from_environment_reads_every_variable() -> None:
    assert dataclasses.astuple(DatabaseSettings.from_environment(PASSWORD)) == (
        "db.example",
        5433,
        "leads",
        "leads_app",
        "p",
        True,
    )
    assert BucketSettings.from_environment(BUCKET) == BucketSettings("leads-bucket", 7)
    for endpoint, emulated in (("", False), ("http://s3", True)):
        environ = BUCKET | {"AWS_ENDPOINT_URL_S3": endpoint}
        assert BucketSettings.from_environment(environ).emulated is emulated
    claims = ClaimSettings.from_environment(KINDS[ClaimSettings])
    assert (claims.organisation, claims.role) == ("custom:org_id", "custom:role")


@pytest.mark.parametrize(("value", "tls"), [("on", True), ("off", False), ("yes", True), ("OFF", True)])
def test_database_tls_is_off_only_for_off(value: str, tls: bool) -> None:
    assert DatabaseSettings.from_environment(PASSWORD | {"DATABASE_TLS": value}).tls is tls


@pytest.mark.parametrize("kind", KINDS)
def test_from_environment_empty_names_every_variable(kind: Kind) -> None:
    with pytest.raises(MissingSettings) as caught:
        kind.from_environment({})
    assert str(caught.value) == f"missing from the environment: {', '.join(KINDS[kind])}"


@pytest.mark.parametrize("kind", KINDS)
def test_from_environment_empty_value_is_missing(kind: Kind) -> None:
    """The message names the empty variable and no other."""
    for name in KINDS[kind]:
        with pytest.raises(MissingSettings, match=rf"^missing from the environment: {name}$"):
            kind.from_environment(KINDS[kind] | {name: ""})


def test_read_environment_returns_values_in_order_of_names() -> None:
    assert read_environment({"A": "1", "B": "2", "C": "3"}, "C", "A") == ["3", "1"]


@pytest.mark.parametrize("days", ["soon", "-1", "7.5"])
def test_result_days_other_than_a_number_are_invalid(days: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        BucketSettings.from_environment(BUCKET | {"RESULT_DAYS": days})
    assert str(caught.value) == "invalid in the environment: RESULT_DAYS must be a number"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"DATABASE_AUTH": "ldap"}, "DATABASE_AUTH must be iam or password"),
        (
            {"DATABASE_AUTH": "iam", "DATABASE_TLS": "off"},
            "DATABASE_TLS must be on: a token must not travel unencrypted",
        ),
        ({"DATABASE_PORT": "postgres"}, "DATABASE_PORT must be a number"),
    ],
)
def test_database_setting_with_wrong_value_is_invalid(wrong: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        DatabaseSettings.from_environment(PASSWORD | wrong)
    assert str(caught.value) == f"invalid in the environment: {problem}"


def test_database_password_is_missing_without_iam() -> None:
    with pytest.raises(MissingSettings, match=r"^missing from the environment: DATABASE_PASSWORD$"):
        DatabaseSettings.from_environment(DATABASE)


def test_database_password_with_iam_is_ignored() -> None:
    settings = DatabaseSettings.from_environment(PASSWORD | {"DATABASE_AUTH": "iam"})
    assert settings.password is None
