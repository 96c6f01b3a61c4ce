"""What the functions ask of AWS: each call, signed link and login, held against the policy of its function.

A call is of the function whose client makes it, as it is of its role in a deployment.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import boto3

from leads.postgres.connection import Connection, Database
from local.aws.s3 import ACCOUNT_ID, REGION
from tests.support.deployed import CLUSTER
from tests.support.iam_policy import Statements, allows

_ACTIONS: Final = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "UploadPart": "s3:PutObject",
}
"""Which action of IAM an operation of S3 is. Source: Service Authorization Reference, "Actions, resources,
and condition keys for Amazon S3".
"""

_OF_A_VERSION: Final = {
    "DeleteObject": "s3:DeleteObjectVersion",
    "GetObject": "s3:GetObjectVersion",
    "HeadObject": "s3:GetObjectVersion",
}
"""Instead, when the call names a version: then s3:GetObject is neither needed nor enough (S3 API reference,
GetObject).
"""

_BESIDES: Final = {"ACL": "s3:PutObjectAcl", "Tagging": "s3:PutObjectTagging"}
"""Needed too, by a call with such a parameter."""

UNKNOWN: Final = "unknown"
"""The action of a call that this module has no action for, which no policy grants."""


@dataclass(frozen=True)
class Call:
    """What a function asked for, in IAM's words; `operation` is what it called."""

    function: str
    operation: str
    action: str
    resource: str


class AwsCalls:
    """The calls of all functions since the process began."""

    def __init__(self, policies: Mapping[str, Statements]) -> None:
        """Takes the statements of each function, by the name of its folder."""
        self._policies = policies
        self._made: list[Call] = []
        self._refused: list[Call] = []

    @contextmanager
    def of(self, function: str) -> Iterator[None]:
        """Clients that are made in this block are the function's."""
        before = boto3.DEFAULT_SESSION
        boto3.DEFAULT_SESSION = session = boto3.Session()
        # Asked for by calls and by links to GET, before they are sent or signed.
        session.events.register("provide-client-params", self._called(function))
        session.events.register("before-sign.s3", self._signed(function))
        try:
            yield
        finally:
            boto3.DEFAULT_SESSION = before

    def database(self, function: str, database: Database) -> Database:
        """The function's database, whose every connection is a login with a token of the function's."""
        return _NotingDatabase(database, lambda user: self._note_login(function, user))

    def since(self, mark: int) -> list[Call]:
        """The calls from a `mark` on."""
        return self._made[mark:]

    @property
    def mark(self) -> int:
        """Now, for `since`."""
        return len(self._made)

    def refused(self) -> list[Call]:
        """Gives the calls that the functions' own policies do not allow, and forgets them."""
        refused, self._refused = self._refused, []
        return refused

    def _called(self, function: str) -> Callable[..., None]:
        def note(params: dict[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
            operation, service = model.name, model.service_model.service_id
            if operation == "CreateBucket" and context.get("is_presign_request"):
                # boto3 makes a signed form of that operation's address; what it allows comes by before-sign.
                return
            resource = f"arn:aws:s3:::{params.get('Bucket')}"
            if "Key" in params:
                resource += f"/{params['Key']}"
            action = _ACTIONS.get(operation, UNKNOWN) if service == "S3" else UNKNOWN
            if "VersionId" in params:
                action = _OF_A_VERSION.get(operation, UNKNOWN)
            # The condition key of listings (Service Authorization Reference, ListBucket, ListBucketVersions).
            about = {"s3:prefix": str(params["Prefix"])} if "Prefix" in params else {}
            actions = [action, *(besides for name, besides in _BESIDES.items() if name in params)]
            for one in actions:
                self._note(Call(function, f"{service} {operation}", one, resource), about)

        return note

    def _signed(self, function: str) -> Callable[..., None]:
        def note(request: Any, **_: object) -> None:
            policy = request.context.get("s3-presign-post-policy")
            if policy is None:
                return
            exact = {
                name: value
                for condition in policy["conditions"]
                if isinstance(condition, dict)
                for name, value in condition.items()
            }
            # A form without a key of its own could put anything.
            resource = f"arn:aws:s3:::{exact['bucket']}/{exact.get('key', '*')}"
            self._note(Call(function, "S3 signed form", "s3:PutObject", resource))

        return note

    def _note_login(self, function: str, user: str) -> None:
        resource = f"arn:aws:rds-db:{REGION}:{ACCOUNT_ID}:dbuser:{CLUSTER}/{user}"
        self._note(Call(function, "login", "rds-db:connect", resource))

    def _note(self, call: Call, about: Mapping[str, str] | None = None) -> None:
        self._made.append(call)
        if not allows(self._policies[call.function], call.action, call.resource, about):
            self._refused.append(call)


class _NotingDatabase(Database):
    """With DatabaseAuth iam each connection has a token of its own, which test_iam_login.py shows."""

    def __init__(self, database: Database, note: Callable[[str], None]) -> None:
        super().__init__(database._settings, database._application)
        self._note = note

    def connect(self, *, timeout: float | None = None) -> Connection:
        self._note(self._settings.user)
        # As the callers do, for a test that has another `connect` in the class.
        return super().connect() if timeout is None else super().connect(timeout=timeout)
