"""No garbage is collected while a function starts. Each one imports this first and calls `started` last.

While modules are loaded, Python looks through all of them for garbage, again and again, and there is next to
none: 30 to 50 of the 370 ms of a cold start (docs/decisions/0077-no-garbage-collection-at-start.md).
"""

import gc

gc.disable()


def started() -> None:
    """The function is ready. Garbage is collected from now on, but not looked for in what it is made of."""
    gc.freeze()
    gc.enable()
