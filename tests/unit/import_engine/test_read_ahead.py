"""Reading ahead: the same items in the same order, the same error, nothing left open and no thread behind."""

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
    """A number that weighs something."""

    number: int
    weight: int = 0


class Items:
    """Makes items, and knows how many it made, and in which thread it was closed."""

    def __init__(self, count: int, error: Exception | None = None, *, weight: int = 0) -> None:
        self._count = count
        self._error = error
        self._weight = weight
        self.made = 0
        self.closed_in = ""

    def ahead(self) -> ReadAhead[str, Item]:
        return ReadAhead(lambda: (HEAD, self._make()), NoConnection())

    def made_in_the_end(self, expected: int) -> int:
        """Return how many were made, after time for so many and for more."""
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
    """Take all items and close."""
    with closing(ahead):
        return [item.number for item in chain.from_iterable(ahead)]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read ahead"]


@pytest.mark.parametrize("count", [0, 100])
def test_items_come_in_order_and_are_closed(count: int) -> None:
    items = Items(count)
    assert numbers(items.ahead()) == list(range(count))
    # In the thread that made them: a generator cannot be closed by another one while it runs.
    assert items.closed_in == "read ahead"
    assert threads() == []


def test_head_comes_before_the_items() -> None:
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
def test_error_comes_after_the_items_before_it(count: int) -> None:
    error = ValueError("the file breaks off")
    seen: list[int] = []

    def take(ahead: ReadAhead[str, Item]) -> None:
        for together in ahead:
            seen.extend(item.number for item in together)

    with (
        closing(Items(count, error).ahead()) as ahead,
        pytest.raises(ValueError, match="breaks off") as caught,
    ):
        take(ahead)
    assert seen == list(range(count))
    assert caught.value is error
    assert threads() == []


@pytest.mark.parametrize("taken", [0, 1])
def test_close_early_leaves_no_thread_and_nothing_open(taken: int) -> None:
    items = Items(1_000_000)
    with closing(items.ahead()) as ahead:
        ahead.head()
        for _, _ in zip(range(taken), ahead, strict=False):
            pass
    assert items.closed_in == "read ahead"
    assert threads() == []


def test_no_more_items_are_made_than_may_wait() -> None:
    items = Items(1_000_000)
    with closing(items.ahead()) as ahead:
        # Those that were taken, those that wait, and the one that the thread holds.
        expected = len(next(iter(ahead))) + MAX_ITEMS + 1
        assert items.made_in_the_end(expected) == expected


def test_heavy_items_are_not_made_ahead() -> None:
    items = Items(1_000, weight=MAX_BYTES // 2)
    with closing(items.ahead()) as ahead:
        # Those that were taken, two that wait, and the one that the thread holds.
        expected = len(next(iter(ahead))) + 2 + 1
        assert items.made_in_the_end(expected) == expected


def test_item_heavier_than_all_that_may_wait_is_returned() -> None:
    assert numbers(Items(3, weight=2 * MAX_BYTES).ahead()) == [0, 1, 2]


def test_ready_items_come_together() -> None:
    items = Items(3 * MAX_ITEMS)
    with closing(items.ahead()) as ahead:
        together = iter(ahead)
        taken = len(next(together))
        waiting = min(MAX_ITEMS, 3 * MAX_ITEMS - taken)
        items.made_in_the_end(taken + waiting)
        assert [item.number for item in next(together)] == list(range(taken, taken + waiting))


def test_ready_item_waits_for_no_other() -> None:
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
