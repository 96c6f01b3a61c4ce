"""Verify that a server is Aurora."""

import ssl
from functools import cache
from pathlib import Path

_AUTHORITIES = Path(__file__).with_name("rds_authorities.pem")


@cache
def tls_context() -> ssl.SSLContext:
    """Return a context that verifies the server's name and its certificate.

    Only the authorities of Amazon RDS are trusted. An authority that certifies web sites must not be able to
    pose as the database.
    """
    return ssl.create_default_context(cafile=_AUTHORITIES)
