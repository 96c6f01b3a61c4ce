"""Derive a Principal from claims: without an organisation or role a caller is refused."""

from collections.abc import Mapping

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from leads.domain.principal import Principal, Role
from leads.errors import Forbidden, Unauthenticated
from leads.settings import ClaimSettings
from leads.web.auth import principal_of
from tests.unit.web.events import CLAIMS, http_event, raw_event

NAMES = ClaimSettings(organisation="custom:org_id", role="custom:role")


def refusal(claims: Mapping[str, object]) -> str:
    with pytest.raises(Forbidden) as caught:
        principal_of(http_event(claims=claims), NAMES)
    return str(caught.value)


def test_principal_of_token_is_its_user() -> None:
    assert principal_of(http_event(), NAMES) == Principal("acme", Role.ADMIN, "ana@acme.example")


def test_claims_are_read_by_the_names_of_the_settings() -> None:
    claims = {"sub": "u-1", "tenant": "other", "group": "PRO", "custom:org_id": "acme", "custom:role": "USER"}
    principal = principal_of(http_event(claims=claims), ClaimSettings(organisation="tenant", role="group"))
    assert principal == Principal("other", Role.PRO, "u-1")


@pytest.mark.parametrize(
    ("written", "role"), [("ADMIN", Role.ADMIN), ("admin", Role.ADMIN), ("Pro", Role.PRO), ("pRO", Role.PRO)]
)
def test_role_in_any_case_is_accepted(written: str, role: Role) -> None:
    assert principal_of(http_event(claims=CLAIMS | {"custom:role": written}), NAMES).role is role


@pytest.mark.parametrize(
    "role", [None, "", "USER", "ADMIN ", "ADMIN,PRO", "[ADMIN]", "ADM\u0131N", ["ADMIN"], 1, True]
)
def test_unknown_role_is_refused_with_the_needed_roles(role: object) -> None:
    message = "You need the role ADMIN or PRO in the claim custom:role. Ask your administrator to set one."
    assert refusal(CLAIMS | {"custom:role": role}) == message


@pytest.mark.parametrize("org", [None, "", "../other", "a/b", "-a", "a" * 65, "ac me", "acme\n", ["acme"], 7])
def test_malformed_organisation_is_refused(org: object) -> None:
    message = (
        "Your token has no valid organisation in the claim custom:org_id. Ask your administrator to set one."
    )
    assert refusal(CLAIMS | {"custom:org_id": org}) == message


@pytest.mark.parametrize("name", ["custom:org_id", "custom:role"])
def test_missing_claim_is_refused_by_name(name: str) -> None:
    assert name in refusal({claim: value for claim, value in CLAIMS.items() if claim != name})


@pytest.mark.parametrize("email", [None, ""])
def test_user_without_email_is_the_subject(email: object) -> None:
    assert principal_of(http_event(claims=CLAIMS | {"email": email}), NAMES).user == "u-1"


def test_token_without_user_is_refused() -> None:
    claims = {claim: CLAIMS[claim] for claim in ("custom:org_id", "custom:role")}
    assert (
        refusal(claims)
        == "Your token has no valid user in the claim email or sub. Ask your administrator to set one."
    )


@pytest.mark.parametrize("email", [" ", "a\0b@x.example", "a\ud800b", "a\u202eb", "a\nb", "x" * 321])
def test_unprintable_user_is_refused(email: str) -> None:
    """Such a user could not be stored or listed."""
    assert (
        refusal(CLAIMS | {"email": email})
        == "Your token has no valid user in the claim email or sub. Ask your administrator to set one."
    )


@pytest.mark.parametrize(
    "authorizer", [None, {}, {"jwt": None}, {"jwt": {}}, {"jwt": {"claims": None}}, {"lambda": CLAIMS}]
)
def test_event_without_claims_is_unauthenticated(authorizer: object) -> None:
    event = raw_event()
    event["requestContext"]["authorizer"] = authorizer
    with pytest.raises(Unauthenticated):
        principal_of(APIGatewayProxyEventV2(event), NAMES)
