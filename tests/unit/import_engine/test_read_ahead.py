"""Check that reading ahead returns the same items and errors in order, and leaves no thread."""

import threading
import time
from collections.abc import Generator
from contextlib import closing
from itertools import chain

import pytest

from leads.formats.report import ReportFormat
from leads.import_engine.batches import Batch, FileLayout
from leads.import_engine.read_ahead import MAX_BATCHES, MAX_BYTES, ReadAhead
from leads.jobs import keepalive
from tests.unit.fakes import NoConnection

LAYOUT = FileLayout(("name",), (), ReportFormat(("name",), ",", False, 0))


def batch(number: int, weight: int = 0) -> Batch:
    """Return a batch with this number that weighs so many bytes."""
    return Batch(number, leads=0, faulty=0, block=bytes(weight), errors=[], error_count=0, packed_lines=b"")


class Items:
    """Make items, count them, and record the thread that closed them."""

    def __init__(self, count: int, error: Exception | None = None, *, weight: int = 0) -> None:
        self._count = count
        self._error = error
        self._weight = weight
        self.made = 0
        self.closed_in = ""

    def ahead(self) -> ReadAhead:
        return ReadAhead(lambda: (LAYOUT, self._make()), NoConnection())

    def settled_count(self, expected: int) -> int:
        """Return the number of items made, after time for the expected ones and for more."""
        deadline = time.monotonic() + 10
        while self.made < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        return self.made

    def _make(self) -> Generator[Batch, None, None]:
        try:
            for number in range(self._count):
                self.made += 1
                yield batch(number, self._weight)
            if self._error is not None:
                raise self._error
        finally:
            self.closed_in = threading.current_thread().name


def numbers(ahead: ReadAhead) -> list[int]:
    """Read all batches and close."""
    with closing(ahead):
        return [item.last_row for item in chain.from_iterable(ahead)]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read ahead"]


@pytest.mark.parametrize("count", [0, 100])
def test_read_ahead_returns_items_in_order_and_closes_them(count: int) -> None:
    items = Items(count)
    assert numbers(items.ahead()) == list(range(count))
    # The thread that makes the items closes them: no other thread can close a running generator.
    assert items.closed_in == "read ahead"
    assert threads() == []


def test_layout_is_returned_before_the_batches() -> None:
    items = Items(3)
    ahead = items.ahead()
    assert ahead.layout() == LAYOUT
    assert numbers(ahead) == [0, 1, 2]


def test_layout_raises_what_reading_raised() -> None:
    def refuse() -> tuple[FileLayout, Generator[Batch, None, None]]:
        raise ValueError("no layout")

    ahead = ReadAhead(refuse, NoConnection())
    with closing(ahead), pytest.raises(ValueError, match="no layout"):
        ahead.layout()
    assert threads() == []


@pytest.mark.parametrize("count", [0, 1, MAX_BATCHES, 3 * MAX_BATCHES])
def test_error_is_raised_after_the_items_before_it(count: int) -> None:
    error = ValueError("the file breaks off")
    seen: list[int] = []

    def receive(ahead: ReadAhead) -> None:
        for together in ahead:
            seen.extend(item.last_row for item in together)

    with (
        closing(Items(count, error).ahead()) as ahead,
        pytest.raises(ValueError, match="breaks off") as caught,
    ):
        receive(ahead)
    assert seen == list(range(count))
    assert caught.value is error
    assert threads() == []


@pytest.mark.parametrize("received", [0, 1])
def test_close_early_leaves_no_thread_and_nothing_open(received: int) -> None:
    items = Items(1_000_000)
    with closing(items.ahead()) as ahead:
        ahead.layout()
        for _, _ in zip(range(received), ahead, strict=False):
            pass
    assert items.closed_in == "read ahead"
    assert threads() == []


def test_read_ahead_makes_no_more_items_than_may_wait() -> None:
    items = Items(1_000_000)
    with closing(items.ahead()) as ahead:
        # The items received, those that wait, and the one that the thread holds.
        expected = len(next(iter(ahead))) + MAX_BATCHES + 1
        assert items.settled_count(expected) == expected


def test_heavy_items_are_not_made_ahead() -> None:
    items = Items(1_000, weight=MAX_BYTES // 2)
    with closing(items.ahead()) as ahead:
        # The items received, two that wait, and the one that the thread holds.
        expected = len(next(iter(ahead))) + 2 + 1
        assert items.settled_count(expected) == expected


def test_item_heavier_than_the_limit_is_returned() -> None:
    assert numbers(Items(3, weight=2 * MAX_BYTES).ahead()) == [0, 1, 2]


def test_ready_items_are_returned_together() -> None:
    items = Items(3 * MAX_BATCHES)
    with closing(items.ahead()) as ahead:
        together = iter(ahead)
        received = len(next(together))
        waiting = min(MAX_BATCHES, 3 * MAX_BATCHES - received)
        items.settled_count(received + waiting)
        assert [item.last_row for item in next(together)] == list(range(received, received + waiting))


def test_ready_item_is_returned_without_waiting_for_others() -> None:
    asked = threading.Event()

    def make() -> Generator[Batch, None, None]:
        yield batch(1)
        assert asked.wait(10)
        yield batch(2)

    with closing(ReadAhead(lambda: (LAYOUT, make()), NoConnection())) as ahead:
        together = iter(ahead)
        assert next(together) == [batch(1)]
        asked.set()
        assert next(together) == [batch(2)]


@pytest.mark.parametrize("wait", ["for the layout", "for a batch"])
def test_postgres_is_pinged_while_nothing_is_ready(monkeypatch: pytest.MonkeyPatch, wait: str) -> None:
    monkeypatch.setattr(keepalive, "PING_SECONDS", 0.01)
    connection = NoConnection()
    enough = threading.Event()

    def make() -> Generator[Batch, None, None]:
        if wait == "for a batch":
            assert enough.wait(10)
        yield batch(1)

    def read() -> tuple[FileLayout, Generator[Batch, None, None]]:
        if wait == "for the layout":
            assert enough.wait(10)
        return LAYOUT, make()

    timer = threading.Timer(0.2, enough.set)
    timer.start()
    with closing(ReadAhead(read, connection)) as ahead:
        assert ahead.layout() == LAYOUT
        assert next(iter(ahead)) == [batch(1)]
    timer.join()
    assert connection.pings > 3
