"""What tests share: one Postgres, one S3 emulator and one service for the whole run; an organisation each."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from leads.postgres.connection import Database
from leads.use_cases.migrate_database import migrate_database
from local.aws.s3 import S3Emulator
from local.postgres.embedded import EmbeddedPostgres
from tests.support.service import APP_PASSWORD, Caller, Service, database_settings, prepare_environment

pytest_plugins = ["tests.support.fault_table"]

SLOW_SUITE_SECONDS = 1200
"""Limit of a test that `make test` leaves out, such as the oracle's 2,000 files."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put temporary files into a directory of this run's own, and remove it unless a test failed.

    pytest's default directory belongs to all runs of a user. Each new run closes it to other users, and
    Postgres, which root has to run as another user, loses its data in the middle of an older run.
    """
    if config.option.basetemp is None:
        directory = tempfile.mkdtemp(prefix="leads-io-tests-")
        config.option.basetemp = directory
        config.add_cleanup(lambda: _remove_unless_failed(config, directory))


def _remove_unless_failed(config: pytest.Config, directory: str) -> None:
    """Remove a run's directory. Of a failed run the logs stay, and the data of Postgres goes: over 1 GB."""
    session = config.pluginmanager.get_plugin("session")
    if session is None or not session.testsfailed:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        for settings in list(Path(directory).rglob("postgresql.conf")):
            shutil.rmtree(settings.parent, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run unit tests first, and give tests of the slow suites more time."""
    # A unit test turns sockets off for its whole process, and a stack that an e2e test started needs them.
    items.sort(key=lambda item: "tests/unit/" not in item.nodeid)
    for item in items:
        slow = item.get_closest_marker("slow") or item.get_closest_marker("slow_fault")
        if slow or item.nodeid.startswith("tests/sam_local/"):
            item.add_marker(pytest.mark.timeout(SLOW_SUITE_SECONDS))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A Postgres with the schema of the migrations."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), throw_away=True) as server:
        owner = database_settings(server, "leads_owner", server.owner_password)
        migrate_database(Database(owner, "tests"), app_password=APP_PASSWORD, seconds=60)
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Emulator]:
    """An S3 emulator in a process of its own."""
    with S3Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="session")
def service(postgres: EmbeddedPostgres, s3: S3Emulator) -> Service:
    """The functions at their boundary."""
    prepare_environment(s3)
    return Service(postgres, s3)


@pytest.fixture
def caller() -> Caller:
    """An ADMIN of an organisation that no other test knows."""
    return Caller()


@pytest.fixture(autouse=True)
def every_call_is_granted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test in which a function asked AWS for what its own policy in template.yaml does not allow."""
    service = request.getfixturevalue("service") if "service" in request.fixturenames else None
    yield
    # Tests of the laptop's stack have a service of their own, in other processes.
    if isinstance(service, Service):
        refused = service.aws_calls.refused()
        assert not refused, "template.yaml does not grant what these functions called"
