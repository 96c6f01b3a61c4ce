"""Attack the sign-in over HTTP: no forged token is accepted, and a valid one names one organisation.

test_service.py and test_local_gateway.py already test a missing token, garbage, and the role USER.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jwt
import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from local.aws.authorizer import AUDIENCE, ISSUER, TokenIssuer
from local.stack import Stack
from tests.e2e.test_service import API_SECONDS

IMPORT = "/api/v1/leads/import"
EXPORT = "/api/v1/leads/export"
HISTORIES = [f"{IMPORT}/history", f"{EXPORT}/history"]
ROUTES = [("POST", IMPORT), ("GET", EXPORT), ("GET", HISTORIES[0])]
CSV = b"name,phone,source\nA,0612345678,web\n"


@pytest.fixture
def org() -> str:
    """A new organisation."""
    return f"org-{uuid4().hex[:12]}"


def ask(stack: Stack, method: str, path: str, token: str | None, **headers: str) -> urllib3.BaseHTTPResponse:
    """Send a request that is answered at once. An accepted one starts a job."""
    headers |= {"Content-Type": "application/octet-stream", "Prefer": "respond-async"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return urllib3.request(
        method,
        stack.api + path,
        headers=headers,
        body=CSV if method == "POST" else None,
        redirect=False,
        retries=False,
        timeout=API_SECONDS,
    )


def assert_untouched(stack: Stack, org: str) -> None:
    """Check that the organisation has no import and no export."""
    for path in HISTORIES:
        answer = ask(stack, "GET", path, stack.token(org))
        assert (answer.status, answer.json()) == (200, []), f"{path} after the attack"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """Build a token that no library would: with any header, with an HMAC or without a signature."""
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    mac = b"" if secret is None else hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{encoded(mac)}"


def forged(stack: Stack, org: str) -> Iterator[tuple[str, str]]:
    """Tokens for the organisation by an attacker with the public key, and tokens of other issuers."""
    good = stack.token(org)
    claims: dict[str, Any] = jwt.decode(good, options={"verify_signature": False})
    header, _, signature = good.split(".")
    for name in ("none", "None", "NONE", "nOnE", "", None):
        yield f"alg {name}", by_hand({"typ": "JWT", "alg": name}, claims, None)
        yield f"alg {name}, signed", by_hand({"alg": name}, claims, None) + signature
    yield "no alg", by_hand({"typ": "JWT"}, claims, None)

    key = TokenIssuer.load(stack.directory).public_key
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secrets = {
        "PEM": pem,
        "PEM without its last line end": pem.rstrip(),
        "PKCS 1 PEM": key.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        "DER": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "JWK": RSAAlgorithm.to_jwk(key).encode(),
        "modulus": key.public_numbers().n.to_bytes(256, "big"),
        "no secret": b"",
    }
    for what, secret in secrets.items():
        yield f"HS256 with the {what}", by_hand({"typ": "JWT", "alg": "HS256"}, claims, secret)
        yield f"RS256 with an HMAC of the {what}", by_hand({"typ": "JWT", "alg": "RS256"}, claims, secret)
    yield "HS256 with the key of a file", by_hand({"alg": "HS256", "kid": "../../dev/null"}, claims, b"")

    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kid = jwt.get_unverified_header(good).get("kid", "leads")
    jwk = json.loads(RSAAlgorithm.to_jwk(stranger.public_key())) | {"kid": kid}
    for what, extra in {
        "another key of the same kid": {"kid": kid},
        "another key in its own header": {"kid": kid, "jwk": jwk},
        "another key behind a link": {"kid": kid, "jku": "https://evil.example/jwks.json"},
    }.items():
        yield what, jwt.encode(claims, stranger, algorithm="RS256", headers=extra)

    body = encoded(json.dumps(claims | {"custom:role": "PRO"}).encode())
    yield "another body under a good signature", f"{header}.{body}.{signature}"
    yield "without its signature", good.removesuffix(signature)
    yield "in two parts", good.removesuffix(f".{signature}")

    now = int(time.time())
    named = {name: claims[name] for name in claims if name not in ("iss", "aud", "iat", "exp")}
    others: dict[str, dict[str, Any]] = {
        "expired": {"exp": now - 1},
        "expired in 1970": {"exp": 0},
        "without an end": {"exp": None},
        "not valid yet": {"nbf": now + 600},
        "issued tomorrow": {"iat": now + 86_400},
        "another issuer": {"iss": "https://evil.example"},
        "an issuer that begins as ours": {"iss": f"{ISSUER}.evil.example"},
        "no issuer": {"iss": None},
        "another audience": {"aud": "another"},
        "an audience that begins as ours": {"aud": f"{AUDIENCE}-2"},
        "an audience in another case": {"aud": AUDIENCE.upper()},
        "no audience": {"aud": None},
        "no audience among several": {"aud": ["another", f"{AUDIENCE} "]},
    }
    for what, changed in others.items():
        yield what, stack.issue(**(named | changed))


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_forged_token_is_401_and_starts_nothing(stack: Stack, org: str, method: str, path: str) -> None:
    for what, token in forged(stack, org):
        answer = ask(stack, method, path, token)
        assert (answer.status, answer.data) == (401, b'{"message":"Unauthorized"}'), f"a token: {what}"
    assert_untouched(stack, org)


def test_token_outside_its_header_is_ignored(stack: Stack, org: str) -> None:
    token = stack.token(org)
    for method, path in ROUTES:
        for query in ("access_token", "token", "Authorization", "jwt"):
            answer = ask(stack, method, f"{path}?{query}={token}", None)
            assert answer.status == 401, f"{method} {path} with the token as ?{query}"
        answer = ask(stack, method, path, None, Cookie=f"Authorization=Bearer {token}; token={token}")
        assert answer.status == 401, f"{method} {path} with the token in a cookie"
    assert_untouched(stack, org)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_token_without_valid_claims_is_403(stack: Stack, org: str, method: str, path: str) -> None:
    good = {"sub": "u-1", "email": "ana@agency.example", "custom:org_id": org, "custom:role": "ADMIN"}
    roles = [None, "", "Adm\u0130n", "ADMlN", "adm\u0131n", "\u0391DMIN", "ADMIN ", "ADMIN\n", "ADMIN,PRO"]
    roles += ["ADMINISTRATOR", "\uff21\uff24\uff2d\uff29\uff2e", "__class__"]
    orgs = [None, "", "a/b", f"{org}/..", f"/{org}", "..", "x" * 65, f"{org}\n", f"{org}\r\nx-evil: 1"]
    orgs += [f"\n{org}", f" {org}", f"{org}\0", "%2e%2e", "*", "org\u2010x", "\uff4f\uff52\uff47"]
    cases: list[tuple[dict[str, Any], str]] = [
        *(({"custom:role": role}, "custom:role") for role in [*roles, ["ADMIN"], True, {"ADMIN": 1}]),
        *(({"custom:org_id": name}, "custom:org_id") for name in [*orgs, [org], {"id": org}]),
        ({"sub": None, "email": None}, "email or sub"),
        ({"sub": "", "email": ""}, "email or sub"),
    ]
    for changed, word in cases:
        answer = ask(stack, method, path, stack.issue(**(good | changed)))
        assert answer.status == 403, f"a token of {changed!r}: {answer.data!r}"
        assert answer.headers["Content-Type"] == "application/problem+json", changed
        assert word in answer.json()["detail"], f"a token of {changed!r}"
        assert "x-evil" not in answer.headers, changed
    assert_untouched(stack, org)


@pytest.mark.parametrize("role", ["admin", "aDmIn", "pro"])
def test_role_in_any_case_is_let_in(stack: Stack, org: str, role: str) -> None:
    token = stack.token(org, role=role)
    statuses = [ask(stack, method, path, token).status for method, path in ROUTES]
    assert statuses == [202, 202, 200], f"import, export and history as {role}"


def test_organisation_is_the_one_of_the_token(stack: Stack, org: str) -> None:
    stranger = stack.token(f"{org}-2")
    named = {"org-id": org, "x-org-id": org, "x-amzn-oidc-identity": org, "x-forwarded-user": org}
    cookie = f"org_id={org}; custom:org_id={org}"
    for method, path in ROUTES:
        assert ask(stack, method, path, stranger, Cookie=cookie, **named).status in (200, 202), path
        for query in ("org_id", "orgId", "custom:org_id"):
            assert ask(stack, method, f"{path}?{query}={org}", stranger).status == 400, f"{path}?{query}"
    assert_untouched(stack, org)
