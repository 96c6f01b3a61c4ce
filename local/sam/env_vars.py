"""Write the variables with which SAM's functions, each in a container, use the running stack."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from local.state import write_private
from local.template.deployment import Function

ENV_VARS = "env-vars.json"
"""The file beside stack.json for `sam local invoke --env-vars`."""

HOST = "laptop.localhost"
"""The name of this machine in a container.

On the machine itself every name in localhost is its own (RFC 6761, 6.3). So links that a function signs work
outside of its container, too.
"""

ENDPOINT = "AWS_ENDPOINT_URL_S3"
"""The variable from which boto3 reads the address of S3. Deployed functions do not have it."""


def write_env_vars(directory: Path, functions: Iterable[Function], s3_url: str) -> Path:
    """Write the variables of each function by its logical id, and return the file.

    They are the template's on this laptop, with Postgres and S3 at the host's name. Only the file's owner may
    read it, because it holds passwords.
    """
    addresses = {"DATABASE_HOST": HOST, ENDPOINT: f"http://{HOST}:{urlsplit(s3_url).port}"}
    variables = {one.logical_id: {**one.environment, **addresses} for one in functions}
    path = directory / ENV_VARS
    write_private(path, json.dumps(variables, indent=2).encode() + b"\n")
    return path
