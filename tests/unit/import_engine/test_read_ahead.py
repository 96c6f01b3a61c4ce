"""Check that reading ahead returns the same items and errors in order, and leaves no thread."""

import threading
import time
from collections.abc import Generator
from contextlib import closing
from itertools import chain
from typing import NamedTuple

import pytest

from leads.import_engine.read_ahead import MAX_BYTES, MAX_ITEMS, ReadAhead
from leads.jobs import keepalive
from tests.unit.fakes import NoConnection

HEAD = "head"


class Item(NamedTuple):
    """Hold a number and a weight."""

    number: int
    weight: int = 0


class Items:
    """Make items, count them, and record the thread that closed them."""

    def __init__(self, count: int, error: Exception | None = None, *, weight: int = 0) -> None:
        self._count = count
        self._error = error
        self._weight = weight
        self.made = 0
        self.closed_in = ""

    def ahead(self) -> ReadAhead[str, Item]:
        return ReadAhead(lambda: (HEAD, self._make()), NoConnection())

    def settled_count(self, expected: int) -> int:
        """Return the number of items made, after time for the expected ones and for more."""
        deadline = time.monotonic() + 10
        while self.made < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        return self.made

    def _make(self) -> Generator[Item, None, None]:
        try:
            for number in range(self._count):
                self.made += 1
                yield Item(number, self._weight)
            if self._error is not None:
                raise self._error
        finally:
            self.closed_in = threading.current_thread().name


def numbers(ahead: ReadAhead[str, Item]) -> list[int]:
    """Read all items and close."""
    with closing(ahead):
        return [item.number for item in chain.from_iterable(ahead)]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read ahead"]


@pytest.mark.parametrize("count", [0, 100])
def test_read_ahead_returns_items_in_order_and_closes_them(count: int) -> None:
    items = Items(count)
    assert numbers(items.ahead()) == list(range(count))
    # The thread that makes the items closes them: no other thread can close a running generator.
    assert items.closed_in == "read ahead"
    assert threads() == []


def test_head_is_returned_before_the_items() -> None:
    items = Items(3)
    ahead = items.ahead()
    assert ahead.head() == HEAD
    assert numbers(ahead) == [0, 1, 2]


def test_head_raises_what_reading_raised() -> None:
    def refuse() -> tuple[str, Generator[Item, None, None]]:
        raise ValueError("no head")

    ahead: ReadAhead[str, Item] = ReadAhead(refuse, NoConnection())
    with closing(ahead), pytest.raises(ValueError, match="no head"):
        ahead.head()
    assert threads() == []


@pytest.mark.parametrize("count", [0, 1, MAX_ITEMS, 3 * MAX_ITEMS])
def test_error_is_raised_after_the_items_before_it(count: int) -> None:
    error = ValueError("the file breaks off")
    seen: list[int] = []

    def receive(ahead: ReadAhead[str, Item]) -> None:
        for together in ahead:
            seen.extend(item.number for item in together)

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
        ahead.head()
        for _, _ in zip(range(received), ahead, strict=False):
            pass
    assert items.closed_in == "read ahead"
    assert threads() == []


def test_read_ahead_makes_no_more_items_than_may_wait() -> None:
    items = Items(1_000_000)
    with closing(items.ahead()) as ahead:
        # The items received, those that wait, and the one that the thread holds.
        expected = len(next(iter(ahead))) + MAX_ITEMS + 1
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
    items = Items(3 * MAX_ITEMS)
    with closing(items.ahead()) as ahead:
        together = iter(ahead)
        received = len(next(together))
        waiting = min(MAX_ITEMS, 3 * MAX_ITEMS - received)
        items.settled_count(received + waiting)
        assert [item.number for item in next(together)] == list(range(received, received + waiting))


def test_ready_item_is_returned_without_waiting_for_others() -> None:
    asked = threading.Event()

    def make() -> Generator[Item, None, None]:
        yield Item(1)
        assert asked.wait(10)
        yield Item(2)

    with closing(ReadAhead(lambda: (HEAD, make()), NoConnection())) as ahead:
        together = iter(ahead)
        assert next(together) == [Item(1)]
        asked.set()
        assert next(together) == [Item(2)]


@pytest.mark.parametrize("wait", ["for the head", "for an item"])
def test_postgres_is_pinged_while_nothing_is_ready(monkeypatch: pytest.MonkeyPatch, wait: str) -> None:
    monkeypatch.setattr(keepalive, "PING_SECONDS", 0.01)
    connection = NoConnection()
    enough = threading.Event()

    def make() -> Generator[Item, None, None]:
        if wait == "for an item":
            assert enough.wait(10)
        yield Item(1)

    def read() -> tuple[str, Generator[Item, None, None]]:
        if wait == "for the head":
            assert enough.wait(10)
        return HEAD, make()

    timer = threading.Timer(0.2, enough.set)
    timer.start()
    with closing(ReadAhead(read, connection)) as ahead:
        assert ahead.head() == HEAD
        assert next(iter(ahead)) == [Item(1)]
    timer.join()
    assert connection.pings > 3
