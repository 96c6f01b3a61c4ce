"""Which servers are believed to be Aurora."""

import ssl
from functools import cache
from pathlib import Path

_AUTHORITIES = Path(__file__).with_name("rds_authorities.pem")


@cache
def tls_context() -> ssl.SSLContext:
    """Verifies the server's name and that its certificate comes from an authority of Amazon RDS, and from no
    other: who may certify web sites must not be able to pose as the database.
    """
    return ssl.create_default_context(cafile=_AUTHORITIES)
