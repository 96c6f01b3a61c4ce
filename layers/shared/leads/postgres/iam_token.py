"""Sign IAM tokens, which replace passwords, with the function's own credentials and no network call.

boto3's `generate_db_auth_token` returns the same tokens, but loads the description of all of RDS, which takes
a tenth of a second. Source: Amazon RDS user guide, "IAM database authentication".
"""

from functools import cache
from typing import Final

import boto3
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from leads.errors import ServiceFault

_LIFETIME_SECONDS: Final = 900
"""Time in which a token allows a login (RDS user guide). An open connection does not depend on it."""


def iam_token(host: str, port: int, user: str) -> str:
    """Sign a token: the password of a role with `rds_iam`. Raises ServiceFault without credentials."""
    session, region = _session()
    credentials = session.get_credentials()
    if credentials is None:
        raise ServiceFault("there are no AWS credentials to sign a token of the database")
    signer = RequestSigner(ServiceId("rds-db"), region, "rds-db", "v4", credentials, session.events)
    request = {
        "method": "GET",
        "url": f"https://{host}:{port}/?Action=connect&DBUser={user}",
        "headers": {},
        "body": {},
        "context": {},
    }
    url: str = signer.generate_presigned_url(
        request,
        operation_name="connect",
        region_name=region,
        expires_in=_LIFETIME_SECONDS,
        signing_name="rds-db",
    )
    return url.removeprefix("https://")


@cache
def _session() -> tuple[boto3.Session, str]:
    session = boto3.Session()
    return session, session.region_name
