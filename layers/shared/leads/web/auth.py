"""Derive a Principal from the claims of a token that API Gateway has verified."""

from typing import Final

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from leads.domain.principal import Principal, Role, is_org_id
from leads.errors import Forbidden, Unauthenticated
from leads.settings import ClaimSettings

MAX_USER_LENGTH: Final = 320
"""Characters of the longest email address (RFC 3696, errata): 64, an @, and 255.

A lower limit locks out users with valid addresses. A higher one only makes room for what is no address.
"""


def principal_of(event: APIGatewayProxyEventV2, names: ClaimSettings) -> Principal:
    """Return the caller.

    Raises:
        Unauthenticated: The event has no verified token.
        Forbidden: The token has no organisation, no user, or no role that may use the service.
    """
    authorizer = event.request_context.authorizer
    claims = authorizer.jwt_claim if authorizer else None
    if not claims:
        raise Unauthenticated(
            "The request has no valid token. Sign in and send one in the Authorization header."
        )
    org_id = claims.get(names.organisation)
    if not isinstance(org_id, str) or not is_org_id(org_id):
        raise Forbidden(
            f"Your token has no valid organisation in the claim {names.organisation}. "
            "Ask your administrator to set one."
        )
    role = claims.get(names.role)
    # Beyond ASCII, other letters have these as upper case: the upper case of a dotless i is I.
    if not isinstance(role, str) or not role.isascii() or role.upper() not in Role.__members__:
        raise Forbidden(
            f"You need the role {' or '.join(Role)} in the claim {names.role}. "
            "Ask your administrator to set one."
        )
    user = claims.get("email") or claims.get("sub")
    # The user is stored and listed. Postgres refuses NUL, and other unprintable text can disguise a name.
    if not isinstance(user, str) or not user.strip() or len(user) > MAX_USER_LENGTH or not user.isprintable():
        raise Forbidden(
            "Your token has no valid user in the claim email or sub. Ask your administrator to set one."
        )
    return Principal(org_id, Role[role.upper()], user)
