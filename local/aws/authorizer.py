"""Tokens for the laptop, and the HTTP API's JWT authorizer that checks them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html. Where API Gateway
fetches the issuer's public key, the laptop has a key pair of its own in the state directory.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.state import PROJECT, write_private
from local.template.document import parameter_default

ISSUER = "https://issuer.leads-laptop.example"
AUDIENCE = "leads-laptop"

TOKEN_SECONDS = 12 * 3600
"""How long a laptop's token lives: a working day."""

_KEY_FILE = "token_key.pem"
_BEARER = re.compile(r"\s*(?:bearer\s+)?(\S+)\s*", re.IGNORECASE)


class Unauthorized(Exception):
    """The request has no token, or one that does not count; the message is not for the caller."""


class TokenIssuer:
    """Signs tokens with the state directory's key."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        """See `create` and `load`."""
        self._key = key

    @classmethod
    def create(cls, state_directory: Path) -> TokenIssuer:
        """The issuer of a state directory, its key pair made when there is none."""
        path = state_directory / _KEY_FILE
        if not path.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            pem = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            write_private(path, pem)
        return cls.load(state_directory)

    @classmethod
    def load(cls, state_directory: Path) -> TokenIssuer:
        """The issuer of a state directory. FileNotFoundError when no stack ever ran on it."""
        key = serialization.load_pem_private_key((state_directory / _KEY_FILE).read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{state_directory / _KEY_FILE} holds no RSA key")
        return cls(key)

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """What checks the signatures."""
        return self._key.public_key()

    def issue(self, claims: Mapping[str, Any]) -> str:
        """A token of these claims and iss, aud, iat and exp, which they may replace; None leaves one out."""
        now = int(time.time())
        standard = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + TOKEN_SECONDS}
        kept = {name: value for name, value in (standard | dict(claims)).items() if value is not None}
        return jwt.encode(kept, self._key, algorithm="RS256")


def token_claims(
    org: str, role: str, user: str, template: Path = PROJECT / "template.yaml"
) -> dict[str, str]:
    """The claims of a user, under the names that the template gives them by default."""
    return {
        "sub": user,
        "email": user,
        parameter_default(template, "OrganisationClaim"): org,
        parameter_default(template, "RoleClaim"): role,
    }


class JwtAuthorizer:
    """Checks the `Authorization` header of a request."""

    def __init__(self, public_key: rsa.RSAPublicKey) -> None:
        """Accepts what was signed with the private key of this one."""
        self._public_key = public_key

    def claims(self, authorization: str | None) -> dict[str, str]:
        """The token's claims, as API Gateway hands them to a function. Raises Unauthorized."""
        token = _BEARER.fullmatch(authorization or "")
        if token is None:
            raise Unauthorized("no token")
        try:
            # exp, nbf and iat are checked, too.
            claims: dict[str, Any] = jwt.decode(
                token[1],
                self._public_key,
                algorithms=["RS256"],
                issuer=ISSUER,
                options={"require": ["iss", "exp"], "verify_aud": False},
            )
        except jwt.PyJWTError as error:
            raise Unauthorized(str(error)) from error
        audience = claims.get("aud", claims.get("client_id"))
        if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthorized("a token for somebody else")
        return {name: _as_text(value) for name, value in claims.items()}


def _as_text(value: Any) -> str:
    """API Gateway passes every claim as a string: lists as `[a b]`."""
    match value:
        case str():
            return value
        case list():
            return f"[{' '.join(_as_text(one) for one in value)}]"
    return json.dumps(value)
