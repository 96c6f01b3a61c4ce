"""Issue tokens for the laptop, and check them as the HTTP API's JWT authorizer does.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html. API Gateway fetches
the issuer's public key. The laptop instead has a key pair of its own in the state directory.
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
"""A working day. Shorter interrupts work at the laptop; longer keeps a leaked token valid."""

_KEY_FILE = "token_key.pem"
_BEARER = re.compile(r"\s*(?:bearer\s+)?(\S+)\s*", re.IGNORECASE)


class Unauthorized(Exception):
    """Report a missing or invalid token. The message must not reach the caller."""


class TokenIssuer:
    """Sign tokens with the state directory's key."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        """Use a key. See `create` and `load` for the state directory's."""
        self._key = key

    @classmethod
    def create(cls, state_directory: Path) -> TokenIssuer:
        """Return the issuer of a state directory, after making a key pair if there is none."""
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
        """Return the issuer of a state directory. Raise FileNotFoundError if no stack ever ran on it."""
        key = serialization.load_pem_private_key((state_directory / _KEY_FILE).read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{state_directory / _KEY_FILE} holds no RSA key")
        return cls(key)

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """The key that checks the signatures."""
        return self._key.public_key()

    def issue(self, claims: Mapping[str, Any]) -> str:
        """Return a token of iss, aud, iat, exp and these claims, which may replace them. None omits one."""
        now = int(time.time())
        standard = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + TOKEN_SECONDS}
        issued = {name: value for name, value in (standard | dict(claims)).items() if value is not None}
        return jwt.encode(issued, self._key, algorithm="RS256")


def token_claims(
    org: str, role: str, user: str, template: Path = PROJECT / "template.yaml"
) -> dict[str, str]:
    """Return the claims of a user, under the default names of the template."""
    return {
        "sub": user,
        "email": user,
        parameter_default(template, "OrganisationClaim"): org,
        parameter_default(template, "RoleClaim"): role,
    }


class JwtAuthorizer:
    """Check the `Authorization` header of a request."""

    def __init__(self, public_key: rsa.RSAPublicKey) -> None:
        """Accept the tokens that this key's private half signed."""
        self._public_key = public_key

    def claims(self, authorization: str | None) -> dict[str, str]:
        """Return the token's claims as API Gateway passes them to a function. Raise Unauthorized."""
        token = _BEARER.fullmatch(authorization or "")
        if token is None:
            raise Unauthorized("no token")
        try:
            # It also checks exp, nbf and iat.
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
            raise Unauthorized("a token for another audience")
        return {name: _as_text(value) for name, value in claims.items()}


def _as_text(value: Any) -> str:
    """Render a claim as API Gateway does: every one is a string, a list is `[a b]`."""
    match value:
        case str():
            return value
        case list():
            return f"[{' '.join(_as_text(one) for one in value)}]"
    return json.dumps(value)
