"""Check that the API answers in time when Postgres accepts a query and never answers it."""

from itertools import chain, repeat

import pytest

from leads.postgres.connection import Connection, Database
from leads.use_cases import export_leads, import_history, import_leads
from tests.support.exports import ROUTE, store
from tests.support.service import Caller, Service
from tests.support.tcp_proxy import TcpProxy, database_behind

CSV = b"name,phone,source\nA,0612345678,web\n"
IMPORT = "/api/v1/leads/import"
BINARY = {"Content-Type": "application/octet-stream"}


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait half a second instead of ten."""
    monkeypatch.setattr(import_history, "ANSWER_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(import_leads, "ANSWER_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(import_leads, "_POLL_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(export_leads, "_MARGIN_SECONDS", 0.5)


@pytest.fixture(autouse=True)
def behind_the_proxy(service: Service, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect the API's functions to Postgres through the proxy."""
    for name in ("import_history", "import_leads", "export_leads"):
        monkeypatch.setattr(service.module(name), "database", database_behind(service, proxy))


@pytest.mark.fault("a connection that hangs")
def test_history_that_hangs_answers_a_problem_document(
    service: Service, caller: Caller, proxy: TcpProxy
) -> None:
    hanging = proxy.hold(b"FROM import_job")
    answer = service.request("GET", f"{IMPORT}/history", caller)
    assert hanging.reached.is_set()
    assert (answer.status, answer.json["status"]) == (500, 500)
    assert service.request("GET", f"{IMPORT}/history", caller).json == []


class DatabaseThatConnectsThroughProxyLater(Database):
    """Open the first connection directly and the others through the proxy."""

    def __init__(self, direct: Database, proxied: Database) -> None:
        self._all = chain([direct], repeat(proxied))

    def connect(self, *, timeout: float | None = None) -> Connection:
        return next(self._all).connect(timeout=timeout)


@pytest.mark.fault("a connection that hangs")
def test_import_whose_poll_hangs_is_answered_as_pending(
    service: Service, caller: Caller, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = DatabaseThatConnectsThroughProxyLater(service.database, database_behind(service, proxy))
    monkeypatch.setattr(service.module("import_leads"), "database", database)
    hanging = proxy.hold(b"FROM import_job")
    answer = service.request("POST", IMPORT, caller, headers=BINARY | {"Prefer": "wait=1"}, body=CSV)
    assert hanging.reached.is_set()
    assert (answer.status, answer.json["status"]) == (202, "PENDING")


@pytest.mark.fault("a connection that hangs")
def test_export_that_hangs_fails_with_its_job(service: Service, caller: Caller, proxy: TcpProxy) -> None:
    store(service, caller, name="Ana")
    hanging = proxy.hold(b"COPY (")
    answer = service.request("GET", ROUTE, caller, headers={"Prefer": "wait=1"})
    assert hanging.reached.is_set()
    assert answer.status == 500
    (export,) = service.request("GET", f"{ROUTE}/history", caller).json
    assert (export["status"], export["rowCount"]) == ("FAILED", 0)
    assert service.keys(f"exports/{caller.org}/") == []
