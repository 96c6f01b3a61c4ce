"""What is missing from the environment is named, all of it at once."""

import dataclasses

import pytest

from leads.errors import MissingSettings
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


def test_settings_are_read_from_the_environment() -> None:
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
        named = BUCKET | {"AWS_ENDPOINT_URL_S3": endpoint}
        assert BucketSettings.from_environment(named).emulated is emulated
    claims = ClaimSettings.from_environment(KINDS[ClaimSettings])
    assert (claims.organisation, claims.role) == ("custom:org_id", "custom:role")


@pytest.mark.parametrize(("written", "tls"), [("on", True), ("off", False), ("yes", True), ("OFF", True)])
def test_only_a_clear_off_turns_encryption_off(written: str, tls: bool) -> None:
    assert DatabaseSettings.from_environment(PASSWORD | {"DATABASE_TLS": written}).tls is tls


@pytest.mark.parametrize("kind", KINDS)
def test_every_missing_variable_is_named(kind: Kind) -> None:
    with pytest.raises(MissingSettings) as caught:
        kind.from_environment({})
    assert str(caught.value) == f"missing from the environment: {', '.join(KINDS[kind])}"


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_variable_is_as_good_as_missing_and_the_others_are_not_named(kind: Kind) -> None:
    for name in KINDS[kind]:
        with pytest.raises(MissingSettings, match=f"^missing from the environment: {name}$"):
            kind.from_environment(KINDS[kind] | {name: ""})


def test_values_come_in_the_order_of_the_names() -> None:
    assert read_environment({"A": "1", "B": "2", "C": "3"}, "C", "A") == ["3", "1"]


@pytest.mark.parametrize("days", ["soon", "-1", "7.5"])
def test_days_are_a_number(days: str) -> None:
    with pytest.raises(MissingSettings, match=r"RESULT_DAYS \(a number\)$"):
        BucketSettings.from_environment(BUCKET | {"RESULT_DAYS": days})


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "DATABASE_PASSWORD"),
        ({"DATABASE_AUTH": "ldap"}, "DATABASE_AUTH (iam or password)"),
        (
            {"DATABASE_AUTH": "iam", "DATABASE_TLS": "off"},
            "DATABASE_TLS (on: a token must not travel without it)",
        ),
    ],
)
def test_what_a_login_needs_is_named(given: dict[str, str], missing: str) -> None:
    with pytest.raises(MissingSettings) as caught:
        DatabaseSettings.from_environment(DATABASE | given)
    assert str(caught.value) == f"missing from the environment: {missing}"


def test_who_logs_in_with_tokens_has_no_password() -> None:
    settings = DatabaseSettings.from_environment(PASSWORD | {"DATABASE_AUTH": "iam"})
    assert settings.password is None
