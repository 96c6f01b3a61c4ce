"""Reading ahead: the same items in the same order, the same error, nothing left open and no thread behind."""

import threading
import time
from collections.abc import Generator
from contextlib import closing
from itertools import chain

import pytest

from leads.import_engine.read_ahead import AHEAD, AHEAD_BYTES, read_ahead


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read ahead"]


class Items:
    """Makes numbers, and knows how many it made, and in which thread it was closed."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self._count = count
        self._error = error
        self.made = 0
        self.closed_in = ""

    def made_in_the_end(self, expected: int) -> int:
        """How many were made, when so many have had their time and more would have had it."""
        deadline = time.monotonic() + 10
        while self.made < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        return self.made

    def make(self) -> Generator[int, None, None]:
        try:
            for item in range(self._count):
                self.made += 1
                yield item
            if self._error is not None:
                raise self._error
        finally:
            self.closed_in = threading.current_thread().name


def test_items_come_in_order_and_are_closed() -> None:
    items = Items(100)
    assert list(chain.from_iterable(read_ahead(items.make()))) == list(range(100))
    assert items.closed_in == "read ahead"
    assert readers() == []


def test_no_items_are_none() -> None:
    assert list(read_ahead(Items(0).make())) == []
    assert readers() == []


@pytest.mark.parametrize("count", [0, 1, AHEAD, 3 * AHEAD])
def test_an_error_comes_after_the_items_before_it(count: int) -> None:
    error = ValueError("the file breaks off")
    items = Items(count, error)
    seen: list[int] = []
    with pytest.raises(ValueError, match="the file breaks off") as caught:
        for together in read_ahead(items.make()):
            seen += together
    assert seen == list(range(count))
    assert caught.value is error
    assert readers() == []


def test_who_stops_early_leaves_no_thread_and_nothing_open() -> None:
    items = Items(1_000_000)
    with closing(read_ahead(items.make())) as ahead:
        next(ahead)
    # In the thread that made them: a generator cannot be closed by another one while it runs.
    assert items.closed_in == "read ahead"
    assert readers() == []


def test_an_error_of_who_takes_the_items_closes_them_too() -> None:
    items = Items(1_000_000)
    with pytest.raises(ZeroDivisionError), closing(read_ahead(items.make())) as ahead:
        next(ahead)
        raise ZeroDivisionError
    assert items.closed_in == "read ahead"
    assert readers() == []


def test_as_many_are_made_as_may_wait_and_no_more() -> None:
    items = Items(1_000_000)
    with closing(read_ahead(items.make())) as ahead:
        # Those that were taken, those that wait, and the one that the thread has in hand.
        most = len(next(ahead)) + AHEAD + 1
        assert items.made_in_the_end(most) == most


def test_heavy_items_are_not_made_ahead() -> None:
    items = Items(1_000)
    with closing(read_ahead(items.make(), weigh=lambda _: AHEAD_BYTES // 2)) as ahead:
        # Those that were taken, two that wait, and the one that the thread has in hand.
        most = len(next(ahead)) + 2 + 1
        assert items.made_in_the_end(most) == most


def test_an_item_heavier_than_all_that_may_wait_is_given() -> None:
    items = Items(3)
    heavy = read_ahead(items.make(), weigh=lambda _: 2 * AHEAD_BYTES)
    assert list(chain.from_iterable(heavy)) == [0, 1, 2]


def test_what_is_ready_comes_together() -> None:
    items = Items(3 * AHEAD)
    with closing(read_ahead(items.make())) as ahead:
        taken = len(next(ahead))
        waiting = min(AHEAD, 3 * AHEAD - taken)
        items.made_in_the_end(taken + waiting)
        assert next(ahead) == list(range(taken, taken + waiting))


def test_an_item_that_is_ready_waits_for_no_other() -> None:
    asked = threading.Event()

    def make() -> Generator[int, None, None]:
        yield 1
        assert asked.wait(10)
        yield 2

    with closing(read_ahead(make())) as ahead:
        assert next(ahead) == [1]
        asked.set()
        assert next(ahead) == [2]


def test_nothing_is_made_before_the_first_item_is_asked_for() -> None:
    items = Items(3)
    ahead = read_ahead(items.make())
    assert readers() == []
    assert items.made == 0
    ahead.close()
