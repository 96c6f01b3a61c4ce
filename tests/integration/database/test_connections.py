"""How many connections a function has: no more than docs/operations.md says, which bounds their sum."""

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

SMALLEST: Final = 189
"""max_connections of an Aurora whose MaxCapacity is 1 (Aurora user guide, "Maximum connections for Aurora
Serverless v2").
"""

_ROW: Final = re.compile(r"\| `(\w+)` \| (?:`(\w+)`|none: [^|]*) \| (\d+) \| (\d+) \|")

BOUNDS: Final = {
    name: (parameter, int(connections), int(concurrency))
    for name, parameter, connections, concurrency in _ROW.findall(
        (PROJECT / "docs/operations.md").read_text()
    )
}
"""Of each function its parameter, its connections, and how many of it may run at once."""


class Opened:
    """The connections that are open now, and the most that ever were, by application."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, application: str, change: int) -> None:
        with self._lock:
            self.now[application] += change
            self.most[application] = max(self.most[application], self.now[application])


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


def test_every_function_has_its_bound_and_together_they_leave_room_on_the_smallest_cluster() -> None:
    assert BOUNDS.keys() == functions(deployed()).keys()
    total = sum(connections * concurrency for _, connections, concurrency in BOUNDS.values())
    assert total <= 0.8 * SMALLEST


def test_the_bounds_are_parameters_of_which_none_is_set() -> None:
    unset = deployed({})["Resources"]
    chosen = {parameter: str(concurrency) for parameter, _, concurrency in BOUNDS.values() if parameter}
    reserved = deployed(chosen)["Resources"]
    for folder, name in functions(deployed()).items():
        assert "ReservedConcurrentExecutions" not in unset[name]["Properties"], name
        parameter, _, concurrency = BOUNDS[folder]
        if parameter:
            assert reserved[name]["Properties"]["ReservedConcurrentExecutions"] == str(concurrency), name


def test_a_function_has_no_more_connections_than_its_bound_says(service: Service, opened: Opened) -> None:
    drive_imports(service)
    drive_exports(service)
    drive_expiry(service)
    seen = {name: opened.most[name] for name in BOUNDS}
    assert all(seen[name] for name in seen.keys() - {"migrate_database"}), seen
    assert not {name: most for name, most in seen.items() if most > BOUNDS[name][1]}


def test_import_leads_has_no_connection_while_it_waits(
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


def test_no_message_waits_for_an_acknowledgement(service: Service) -> None:
    """Each COPY of an import ends with a message that is sent in two pieces."""
    with service.owner() as connection:
        assert connection._pg._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
