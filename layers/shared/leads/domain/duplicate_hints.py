"""Which rows of a file need a look-up of their phone before SKIP, as the phone filter saw them."""

from typing import NamedTuple


class Suspicion(NamedTuple):
    """Numbers of rows."""

    repeats: list[int]
    """Rows whose phone an earlier row has for sure."""
    suspects: list[int]
    """Other rows whose phone may have been there before."""
    originals: list[int]
    """Rows that are neither, whose phones the suspects may repeat: of those that may not be stored yet."""
