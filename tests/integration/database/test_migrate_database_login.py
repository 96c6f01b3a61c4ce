"""A first deployment logs in although the new cluster and the new role are not known at once."""

import dataclasses
import time

import pytest

from leads.errors import DatabaseFault
from leads.postgres.connection import Connection, Database
from leads.use_cases import migrate_database as module
from leads.use_cases.migrate_database import migrate_database
from tests.support.service import APP_PASSWORD, Service, database_settings


class DatabaseThatIsNew(Database):
    """Refuses the first logins."""

    def __init__(self, database: Database, *refusals: DatabaseFault) -> None:
        super().__init__(database._settings, database._application)
        self._refusals = list(refusals)
        self.logins = 0

    def connect(self, *, timeout: float | None = None) -> Connection:
        self.logins += 1
        if self._refusals:
            raise self._refusals.pop(0)
        return super().connect(timeout=timeout)


@pytest.fixture
def owner(service: Service, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return the owner's database, with short pauses between logins."""
    monkeypatch.setattr(module, "LOGIN_PAUSE_SECONDS", 0.01)
    settings = database_settings(service.postgres, "leads_owner", service.postgres.owner_password)
    return Database(settings, "tests")


def test_login_is_tried_again_while_refused(owner: Database) -> None:
    # The role's right to log in is missing, then the name of the host, then the server is starting.
    new = DatabaseThatIsNew(owner, DatabaseFault("28000"), DatabaseFault(None), DatabaseFault("57P03"))
    assert migrate_database(new, app_password=APP_PASSWORD, seconds=60) == []
    assert new.logins == 4


def test_login_with_a_permanent_fault_is_not_tried_again(owner: Database) -> None:
    new = DatabaseThatIsNew(owner, DatabaseFault("42501"))
    with pytest.raises(DatabaseFault, match="42501"):
        migrate_database(new, app_password=APP_PASSWORD, seconds=60)
    assert new.logins == 1


@pytest.mark.parametrize("bound", ["LOGIN_WAIT_SECONDS", "seconds"])
def test_login_that_stays_refused_is_given_up(
    owner: Database, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(module, "LOGIN_WAIT_SECONDS", 0.2 if bound == "LOGIN_WAIT_SECONDS" else 60.0)
    settings = dataclasses.replace(owner._settings, password="wrong")  # noqa: S106 (it opens nothing)
    wrong = Database(settings, "tests")
    started_at = time.monotonic()
    with pytest.raises(DatabaseFault, match="28P01"):
        migrate_database(wrong, app_password=APP_PASSWORD, seconds=0.2 if bound == "seconds" else 60)
    assert time.monotonic() - started_at < 5
