"""An import's turn: those of one organisation come one after the other, so that SKIP makes no doubles between
them.

It is waited for in Postgres' own queue, which is first come, first served, and in one wait: who asks anew
stands at its end.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Final

from leads.import_engine.deadline import TimeLeft
from leads.postgres.connection import Connection
from leads.postgres.staging import try_lock, wait_for_lock
from leads.s3.reader import ObjectReader

KEPT: Final = 120.0
"""Seconds that are kept of a run for the import itself, however small its file is: it needs a few of them."""

SLOWEST: Final = 500_000
"""Bytes of a file that are imported in a second, at the least: less than a tenth of what was
measured (bench/README.md), for a database that has much else to do.
"""


def patience(size: int, left: float) -> float:
    """Seconds that an import of a file of `size` bytes may wait, of those that are left of its run: half of
    them at least, for the bytes of a large file may pass more quickly.
    """
    return left - min(max(KEPT, size / SLOWEST), left / 2)


def open_in_turn(
    connection: Connection, org_id: str, open_file: Callable[[], ObjectReader], time_left: TimeLeft
) -> ObjectReader:
    """The file, opened, when it is the import's turn in the transaction that is under way.

    Raises OrganisationBusy when that does not come in time for it, and what `open_file` raises.
    """
    with ExitStack() as unread:
        file = unread.enter_context(closing(open_file()))
        if try_lock(connection, org_id):
            unread.pop_all()
            return file
    # Opened again after the wait: S3 drops a stream that nobody reads.
    began = time.monotonic()
    wait_for_lock(connection, org_id, patience(file.size, time_left.seconds))
    time_left.waited = time.monotonic() - began
    return open_file()
