"""Provide the built service, and a local stack whose functions run in SAM's containers."""

import subprocess
from collections.abc import Iterator

import pytest
import urllib3

from local.stack import Deployment, Stack
from tests.support.sam_local import ORG, RUN_SECONDS, Sam
from tests.support.service import ROOT

FILE = "name,phone,source\nÉlodie Martin,06 12 34 56 78,web\n"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a stack whose organisation has import 1 and export 1, which the samples name.

    Its bucket and clock invoke nothing afterwards.
    """
    still = Deployment(schedule_seconds=86_400)
    with Stack(tmp_path_factory.mktemp("stack"), throw_away=True, deployment=still) as running:
        headers = {
            "Authorization": f"Bearer {running.token(ORG)}",
            "Content-Type": "application/octet-stream",
            "Accept": "application/json",
        }
        imported = urllib3.request(
            "POST", f"{running.api}/api/v1/leads/import?filename=leads.csv", body=FILE, headers=headers
        )
        assert (imported.status, imported.json()["importJobId"]) == (200, 1), imported.data
        exported = urllib3.request("GET", f"{running.api}/api/v1/leads/export", headers=headers)
        assert (exported.status, exported.json()["id"]) == (200, 1), exported.data
        running.s3.client.put_bucket_notification_configuration(
            Bucket=running.bucket, NotificationConfiguration={}
        )
        yield running


@pytest.fixture(scope="session")
def built() -> None:
    """Build the service from the current tree with `sam build`."""
    command = ["make", "build"]
    build = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=RUN_SECONDS
    )
    assert build.returncode == 0, build.stderr + build.stdout


@pytest.fixture(scope="session")
def sam(stack: Stack, built: None) -> Sam:
    """Return an invoker of the built functions on the stack."""
    return Sam(stack)
