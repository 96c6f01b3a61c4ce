"""Read the environment that template.yaml sets for a function, once, into frozen settings.

Each function reads only the groups that it uses: one that never calls S3 needs no bucket.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from leads.errors import InvalidSettings, MissingSettings


def read_environment(environ: Mapping[str, str], *names: str) -> list[str]:
    """Return the values of the named variables, in this order.

    Raises MissingSettings, which names every variable that is missing or empty.
    """
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise MissingSettings(missing)
    return [environ[name] for name in names]


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """The address of Postgres, and the role to log in as."""

    host: str
    port: int
    name: str
    user: str
    password: str | None
    """None means an IAM token for each connection."""
    tls: bool

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read DATABASE_HOST, _PORT, _NAME, _USER, _TLS (`on` or `off`) and _AUTH (`iam` or `password`).

        With `password`, DATABASE_PASSWORD is read, too. Any value of _TLS but `off` means `on`.

        Raises:
            MissingSettings: Variables are missing or empty.
            InvalidSettings: The value of a variable cannot be used.
        """
        host, port, name, user, tls, auth = read_environment(
            environ,
            "DATABASE_HOST",
            "DATABASE_PORT",
            "DATABASE_NAME",
            "DATABASE_USER",
            "DATABASE_TLS",
            "DATABASE_AUTH",
        )
        if auth not in ("iam", "password"):
            raise InvalidSettings("DATABASE_AUTH must be iam or password")
        if auth == "iam" and tls == "off":
            raise InvalidSettings("DATABASE_TLS must be on: a token must not travel unencrypted")
        password = read_environment(environ, "DATABASE_PASSWORD")[0] if auth == "password" else None
        if not port.isdecimal():
            raise InvalidSettings("DATABASE_PORT must be a number")
        return cls(host=host, port=int(port), name=name, user=user, password=password, tls=tls != "off")


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """The one bucket that holds uploads, dropped files, reports and exports."""

    name: str
    result_days: int
    """The number of days after which the bucket's own rules delete reports and exports."""
    emulated: bool = False
    """True on the laptop, where buckets have no host names of their own."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read BUCKET_NAME and RESULT_DAYS, and whether AWS_ENDPOINT_URL_S3 is set.

        No deployed function has AWS_ENDPOINT_URL_S3, which is boto3's.

        Raises:
            MissingSettings: Variables are missing or empty.
            InvalidSettings: RESULT_DAYS is no number.
        """
        name, days = read_environment(environ, "BUCKET_NAME", "RESULT_DAYS")
        if not days.isdecimal():
            raise InvalidSettings("RESULT_DAYS must be a number")
        emulated = bool(environ.get("AWS_ENDPOINT_URL_S3"))
        return cls(name=name, result_days=int(days), emulated=emulated)


@dataclass(frozen=True, slots=True)
class ClaimSettings:
    """The names of the token's claims that hold the organisation and the role."""

    organisation: str
    role: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read ORGANISATION_CLAIM and ROLE_CLAIM. Raises MissingSettings."""
        organisation, role = read_environment(environ, "ORGANISATION_CLAIM", "ROLE_CLAIM")
        return cls(organisation=organisation, role=role)
