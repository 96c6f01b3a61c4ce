"""Disable garbage collection while a function starts.

Each function imports this module first and calls `started` last. While modules load, Python searches all of
them for garbage again and again, and finds next to none. That takes 30 to 50 of the 370 ms of a cold start
(docs/decisions/0077-no-garbage-collection-at-start.md).
"""

import gc

gc.disable()


def started() -> None:
    """Enable garbage collection, and exclude from it everything that has been loaded so far."""
    gc.freeze()
    gc.enable()
