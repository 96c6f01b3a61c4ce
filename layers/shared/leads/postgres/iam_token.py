"""IAM tokens instead of passwords: signed with the function's own credentials, without asking anybody.

What boto3's `generate_db_auth_token` does, without the description of all of RDS, which takes a tenth of a
second to load. Source: Amazon RDS user guide, "IAM database authentication".
"""

from functools import cache
from typing import Final

import boto3
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from leads.errors import ServiceFault

_SECONDS: Final = 900
"""How long a token lets in (RDS user guide); a connection lives on after it."""


def iam_token(host: str, port: int, user: str) -> str:
    """What a role with `rds_iam` gives as its password. Raises ServiceFault without credentials."""
    session, region = _session()
    credentials = session.get_credentials()
    if credentials is None:
        raise ServiceFault("no AWS credentials to sign a token of the database with")
    signer = RequestSigner(ServiceId("rds-db"), region, "rds-db", "v4", credentials, session.events)
    request = {
        "method": "GET",
        "url": f"https://{host}:{port}/?Action=connect&DBUser={user}",
        "headers": {},
        "body": {},
        "context": {},
    }
    url: str = signer.generate_presigned_url(
        request, operation_name="connect", region_name=region, expires_in=_SECONDS, signing_name="rds-db"
    )
    return url.removeprefix("https://")


@cache
def _session() -> tuple[boto3.Session, str]:
    session = boto3.Session()
    return session, session.region_name
