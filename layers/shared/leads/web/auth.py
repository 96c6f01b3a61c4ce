"""From the claims of a token that API Gateway has verified to a Principal."""

from typing import Final

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from leads.domain.principal import Principal, Role, is_org_id
from leads.errors import Forbidden, Unauthenticated
from leads.settings import ClaimSettings

USER_LENGTH: Final = 320
"""Characters of an email address (RFC 3696, errata): 64, an @, and 255."""


def principal_of(event: APIGatewayProxyEventV2, names: ClaimSettings) -> Principal:
    """The caller.

    Raises Unauthenticated without a verified token, Forbidden when it names no organisation, no user, or no
    role that may use the service.
    """
    authorizer = event.request_context.authorizer
    claims = authorizer.jwt_claim if authorizer else None
    if not claims:
        raise Unauthenticated("Sign in: send a token in the Authorization header.")
    org_id = claims.get(names.organisation)
    if not isinstance(org_id, str) or not is_org_id(org_id):
        raise Forbidden(
            f"Your token names no valid organisation (claim {names.organisation}). "
            "Ask your administrator for one."
        )
    role = claims.get(names.role)
    # Outside ASCII other letters fold into these: the dotless i's upper case is I.
    if not isinstance(role, str) or not role.isascii() or role.upper() not in Role.__members__:
        raise Forbidden(
            f"This needs the role {' or '.join(Role)} (claim {names.role}). Ask your administrator."
        )
    user = claims.get("email") or claims.get("sub")
    # Kept with what the user does: what does not print Postgres may not store, or a list not show.
    if not isinstance(user, str) or not user.strip() or len(user) > USER_LENGTH or not user.isprintable():
        raise Forbidden("Your token names no user (claim email or sub).")
    return Principal(org_id, Role[role.upper()], user)
