"""The variables with which SAM's functions, each in a container, work on the running stack."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from local.state import write_private
from local.template.deployment import Function

ENV_VARS = "env-vars.json"
"""Beside stack.json, for `sam local invoke --env-vars`."""

HOST = "laptop.localhost"
"""What this machine is called in a container. On the machine itself names that end in localhost are its own
(RFC 6761, 6.3), so links that a function signs for its caller work outside of its container, too.
"""

ENDPOINT = "AWS_ENDPOINT_URL_S3"
"""Where boto3 finds S3. No deployed function has it, so the template does not declare it."""


def write_env_vars(directory: Path, functions: Iterable[Function], s3_url: str) -> Path:
    """Write what each function gets, by its logical id: what the template gives it on this laptop, but with
    Postgres and S3 at the host's name. Only its owner may read it: it holds passwords.
    """
    elsewhere = {"DATABASE_HOST": HOST, ENDPOINT: f"http://{HOST}:{urlsplit(s3_url).port}"}
    variables = {one.logical_id: {**one.environment, **elsewhere} for one in functions}
    path = directory / ENV_VARS
    write_private(path, json.dumps(variables, indent=2).encode() + b"\n")
    return path
