"""Functions have no more connections than docs/operations.md says, and their sum fits the server."""

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from threading import Lock
from typing import Final

import pytest

from leads.postgres.connection import Connection
from leads.settings import DatabaseSettings
from local.state import PROJECT
from tests.integration.security.test_least_privilege import drive_expiry, drive_exports, drive_imports
from tests.support.deployed import deployed, functions
from tests.support.service import Caller, Service

SMALLEST_MAX_CONNECTIONS: Final = 189
"""max_connections of an Aurora cluster with MaxCapacity 1.

Source: Aurora user guide, "Maximum connections for Aurora Serverless v2".
"""

_ROW: Final = re.compile(r"\| `(\w+)` \| (?:`(\w+)`|none: [^|]*) \| (\d+) \| (\d+) \|")

BOUNDS: Final = {
    name: (parameter, int(connections), int(concurrency))
    for name, parameter, connections, concurrency in _ROW.findall(
        (PROJECT / "docs/operations.md").read_text()
    )
}
"""The parameter, the connections and the concurrency of each function."""


class Opened:
    """The connections that are open now, and their maximum so far, by application."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.max: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, application: str, change: int) -> None:
        with self._lock:
            self.now[application] += change
            self.max[application] = max(self.max[application], self.now[application])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    counts = Opened()
    applications: dict[int, str] = {}
    open_, close = Connection.__init__, Connection.close

    def note_open(
        self: Connection, settings: DatabaseSettings, application: str, *, timeout: float | None = None
    ) -> None:
        open_(self, settings, application, timeout=timeout)
        applications[id(self)] = application
        counts.add(application, 1)

    def note_close(self: Connection) -> None:
        close(self)
        if application := applications.pop(id(self), None):
            counts.add(application, -1)

    monkeypatch.setattr(Connection, "__init__", note_open)
    monkeypatch.setattr(Connection, "close", note_close)
    yield counts
    assert not +counts.now, "these stayed open"


def test_bounds_of_functions_fit_the_smallest_cluster() -> None:
    """Together the functions use at most 80 % of its connections."""
    assert BOUNDS.keys() == functions(deployed()).keys()
    total = sum(connections * concurrency for _, connections, concurrency in BOUNDS.values())
    assert total <= 0.8 * SMALLEST_MAX_CONNECTIONS


def test_concurrency_is_reserved_only_by_parameters() -> None:
    unset = deployed({})["Resources"]
    chosen = {parameter: str(concurrency) for parameter, _, concurrency in BOUNDS.values() if parameter}
    reserved = deployed(chosen)["Resources"]
    for folder, name in functions(deployed()).items():
        assert "ReservedConcurrentExecutions" not in unset[name]["Properties"], name
        parameter, _, concurrency = BOUNDS[folder]
        if parameter:
            assert reserved[name]["Properties"]["ReservedConcurrentExecutions"] == str(concurrency), name


def test_function_stays_within_its_connections(service: Service, opened: Opened) -> None:
    drive_imports(service)
    drive_exports(service)
    drive_expiry(service)
    seen = {name: opened.max[name] for name in BOUNDS}
    assert all(seen[name] for name in seen.keys() - {"migrate_database"}), seen
    assert not {name: number for name, number in seen.items() if number > BOUNDS[name][1]}


def test_import_leads_waits_without_a_connection(
    service: Service, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller()
    asleep: list[int] = []
    sleep = time.sleep

    def note_and_sleep(seconds: float) -> None:
        asleep.append(opened.now["import_leads"])
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", note_and_sleep)
    service.request(
        "POST",
        "/api/v1/leads/import",
        caller,
        headers={"Content-Type": "application/octet-stream", "Prefer": "wait=1"},
        body=b"name,phone,source\nAna,1,web\n",
    )
    assert asleep
    assert not any(asleep)


def test_connection_sends_without_delay(service: Service) -> None:
    """Each COPY of an import ends with a message that is sent in two pieces.

    The second piece must not wait for the acknowledgement of the first one.
    """
    with service.owner() as connection:
        assert connection._pg._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
