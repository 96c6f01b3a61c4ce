"""Waiting for what another thread or process does."""

import threading
from collections.abc import Callable


def wait_until(true: Callable[[], object]) -> None:
    """Looks until it is so, for 20 s at most."""
    for _ in range(400):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("waited in vain")
