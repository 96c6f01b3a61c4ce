"""Reading ahead: the same items in the same order, the same error, and no thread left behind."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from leads.csv_format.read_ahead import AHEAD, read_ahead


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def test_items_come_in_order() -> None:
    assert list(read_ahead(range(100))) == list(range(100))
    assert readers() == []


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the file breaks off")

    seen = []
    with pytest.raises(ValueError, match="the file breaks off"):
        for item in read_ahead(items()):
            seen.append(item)
    assert seen == [1]
    assert readers() == []


def test_who_stops_early_leaves_no_thread() -> None:
    with closing(read_ahead(iter(int, 1))) as items:
        next(items)
    assert readers() == []


def test_no_more_is_made_than_may_wait() -> None:
    made = []

    def items() -> Iterator[int]:
        for item in range(100):
            made.append(item)
            yield item

    with closing(read_ahead(items())) as ahead:
        next(ahead)
        threading.Event().wait(0.3)
        assert len(made) <= 1 + AHEAD + 1
