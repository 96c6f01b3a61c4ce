"""A first deployment logs in to a cluster, as a role, that are new: both take their time to be known."""

import dataclasses
import time

import pytest

from leads.errors import DatabaseFault
from leads.postgres.connection import Connection, Database
from leads.use_cases import migrate_database as module
from leads.use_cases.migrate_database import migrate_database
from tests.support.service import APP_PASSWORD, Service, database_settings


class DatabaseThatIsNew(Database):
    """Lets nobody in until it has been asked a few times."""

    def __init__(self, database: Database, *refusals: DatabaseFault) -> None:
        super().__init__(database._settings, database._application)
        self._refusals = list(refusals)
        self.asked = 0

    def connect(self, *, timeout: float | None = None) -> Connection:
        self.asked += 1
        if self._refusals:
            raise self._refusals.pop(0)
        return super().connect(timeout=timeout)


@pytest.fixture
def owner(service: Service, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The owner's database. Who waits for it does so for a short time."""
    monkeypatch.setattr(module, "LOGIN_PAUSE_SECONDS", 0.01)
    settings = database_settings(service.postgres, "leads_owner", service.postgres.owner_password)
    return Database(settings, "tests")


def test_rights_names_and_a_server_that_are_not_there_yet_are_waited_for(owner: Database) -> None:
    # The role's right to log in, the name of the host, a server that starts.
    new = DatabaseThatIsNew(owner, DatabaseFault("28000"), DatabaseFault(None), DatabaseFault("57P03"))
    assert migrate_database(new, app_password=APP_PASSWORD, seconds=60) == []
    assert new.asked == 4


def test_what_waiting_does_not_mend_is_raised_at_once(owner: Database) -> None:
    new = DatabaseThatIsNew(owner, DatabaseFault("42501"))
    with pytest.raises(DatabaseFault, match="42501"):
        migrate_database(new, app_password=APP_PASSWORD, seconds=60)
    assert new.asked == 1


@pytest.mark.parametrize("bound", ["LOGIN_WAIT_SECONDS", "seconds"])
def test_a_login_that_stays_refused_is_given_up(
    owner: Database, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(module, "LOGIN_WAIT_SECONDS", 0.2 if bound == "LOGIN_WAIT_SECONDS" else 60.0)
    wrong = Database(dataclasses.replace(owner._settings, password="wrong"), "tests")  # noqa: S106
    began = time.monotonic()
    with pytest.raises(DatabaseFault, match="28P01"):
        migrate_database(wrong, app_password=APP_PASSWORD, seconds=0.2 if bound == "seconds" else 60)
    assert time.monotonic() - began < 5
