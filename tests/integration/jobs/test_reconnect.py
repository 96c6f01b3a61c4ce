"""Check runs whose database is unreachable for longer than Lambda waits between deliveries."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from leads.errors import DatabaseFault
from leads.jobs import reconnect
from leads.jobs.outcome import COMPLETED
from leads.postgres.connection import Connection, Database
from leads.postgres.export import copy_leads
from leads.postgres.staging import Staging
from leads.s3.events import StoredFile
from leads.use_cases import export_file
from tests.support.exports import asked, attempts_of, run_export, store
from tests.support.imports import posted, run_import
from tests.support.service import Caller, Service

CSV = b"name,phone,source\nA,0612345678,web\n"


class UnreachableDatabase(Database):
    """Refuse every connection for some seconds after `go_down` is called."""

    def __init__(self, database: Database, sqlstate: str | None, seconds: float) -> None:
        self._database = database
        self._fault = DatabaseFault(sqlstate)
        self._seconds = seconds
        self._reachable_at = 0.0
        self.asked = 0

    def go_down(self) -> None:
        self._reachable_at = time.monotonic() + self._seconds

    def connect(self, *, timeout: float | None = None) -> Connection:
        self.asked += 1
        if time.monotonic() < self._reachable_at:
            raise self._fault
        return self._database.connect(timeout=timeout)


UNREACHABLE = pytest.mark.parametrize(
    "sqlstate",
    [
        None,
        pytest.param("57P03", marks=pytest.mark.slow_fault),
        pytest.param("53300", marks=pytest.mark.slow_fault),
    ],
    ids=["no answer", "starting up", "too many connections"],
)
SECONDS = 0.5
"""Longer than the initial pauses."""


@UNREACHABLE
@pytest.mark.fault("Postgres stopped hard and started again")
def test_run_that_starts_without_its_database_waits_for_it(
    service: Service, caller: Caller, sqlstate: str | None
) -> None:
    file, request = posted(service, caller, CSV), asked(service, caller)
    database = UnreachableDatabase(service.database, sqlstate, SECONDS)
    runs: list[Callable[[], Any]] = [
        lambda: run_import(service, file, database=database),
        lambda: run_export(service, request, database=database),
    ]
    for run in runs:
        database.go_down()
        assert run().ended == COMPLETED
    assert attempts_of(service, request) == 1


@UNREACHABLE
@pytest.mark.fault("Postgres stopped hard and started again")
def test_import_that_loses_its_database_waits_and_tries_again(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, sqlstate: str | None
) -> None:
    database = UnreachableDatabase(service.database, sqlstate, SECONDS)
    merges: list[object] = []

    merge = Staging.merge

    def lose_once(staging: Staging, *arguments: Any) -> list[int]:
        merges.append(arguments)
        if len(merges) == 1:
            database.go_down()
            staging._connection.close()
            raise DatabaseFault("57P01")
        return merge(staging, *arguments)

    monkeypatch.setattr(Staging, "merge", lose_once)
    assert run_import(service, posted(service, caller, CSV), database=database).ended == COMPLETED
    assert len(service.leads(caller)) == 1


def test_export_that_loses_its_database_waits_and_tries_again(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller, name="Ana")
    request = asked(service, caller)
    database = UnreachableDatabase(service.database, None, SECONDS)
    copies: list[object] = []

    def lose_once(connection: Connection, *arguments: Any) -> int:
        copies.append(arguments)
        if len(copies) == 1:
            database.go_down()
            connection.close()
            raise DatabaseFault(None)
        return copy_leads(connection, *arguments)

    monkeypatch.setattr(export_file, "copy_leads", lose_once)
    outcome = run_export(service, request, database=database)
    assert (outcome.ended, outcome.row_count) == (COMPLETED, 1)
    assert attempts_of(service, request) == 1


def test_wait_for_the_database_is_bounded_with_growing_pauses(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posted(service, caller, CSV)
    database = UnreachableDatabase(service.database, None, 60)
    database.go_down()
    monkeypatch.setattr(reconnect, "INITIAL_PAUSE_SECONDS", 0.1)
    for bound, seconds in ((1.5, 300.0), (240.0, reconnect.MIN_RETRY_SECONDS + 1.5)):
        monkeypatch.setattr(reconnect, "MAX_OUTAGE_SECONDS", bound)
        database.asked = 0
        started_at = time.monotonic()
        with pytest.raises(DatabaseFault):
            run_import(service, file, database=database, seconds=seconds)
        assert time.monotonic() - started_at < 10
        assert 3 < database.asked < 10


def test_permanent_refusal_of_a_connection_is_not_retried(service: Service, caller: Caller) -> None:
    database = UnreachableDatabase(service.database, "28P01", 60)
    database.go_down()
    file: StoredFile = posted(service, caller, CSV)
    with pytest.raises(DatabaseFault):
        run_import(service, file, database=database)
    assert database.asked == 1
