"""The environment that template.yaml gives a function, read once into frozen settings.

Each function reads only the groups it uses, so one that never speaks to S3 does not ask for a bucket.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from leads.errors import MissingSettings


def read_environment(environ: Mapping[str, str], *names: str) -> list[str]:
    """The values of the named variables, or MissingSettings with every name that is missing or empty."""
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise MissingSettings(missing)
    return [environ[name] for name in names]


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where Postgres is and who we are there."""

    host: str
    port: int
    name: str
    user: str
    password: str | None
    """None: an IAM token for each connection."""
    tls: bool

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Reads DATABASE_HOST, _PORT, _NAME, _USER, _TLS (`on` or `off`), _AUTH (`iam` or `password`) and,
        for a password, _PASSWORD.

        Raises MissingSettings.
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
            raise MissingSettings(["DATABASE_AUTH (iam or password)"])
        if auth == "iam" and tls == "off":
            raise MissingSettings(["DATABASE_TLS (on: a token must not travel without it)"])
        password = read_environment(environ, "DATABASE_PASSWORD")[0] if auth == "password" else None
        if not port.isdecimal():
            raise MissingSettings(["DATABASE_PORT (a number)"])
        return cls(host=host, port=int(port), name=name, user=user, password=password, tls=tls != "off")


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """The one bucket that holds uploads, dropped files and exports."""

    name: str
    result_days: int
    """After which its own rules have taken away exports and reports."""
    emulated: bool = False
    """Whether it is the laptop's, whose buckets have no host names of their own."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Reads BUCKET_NAME and RESULT_DAYS, and whether boto3's AWS_ENDPOINT_URL_S3 is set, as no deployed
        function has it.

        Raises MissingSettings.
        """
        name, days = read_environment(environ, "BUCKET_NAME", "RESULT_DAYS")
        if not days.isdecimal():
            raise MissingSettings(["RESULT_DAYS (a number)"])
        emulated = bool(environ.get("AWS_ENDPOINT_URL_S3"))
        return cls(name=name, result_days=int(days), emulated=emulated)


@dataclass(frozen=True, slots=True)
class ClaimSettings:
    """Under which names the token's claims hold the organisation and the role."""

    organisation: str
    role: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Reads ORGANISATION_CLAIM and ROLE_CLAIM. Raises MissingSettings."""
        organisation, role = read_environment(environ, "ORGANISATION_CLAIM", "ROLE_CLAIM")
        return cls(organisation=organisation, role=role)
