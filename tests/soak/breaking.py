"""What is broken while the service is soaked, at random times in a random order."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

from tests.support.fragile_stack import FragileStack

FUNCTIONS = (
    "ProcessImportFunction",
    "ProcessImportFunction",
    "ProcessExportFunction",
    "ImportLeadsFunction",
    "ExportLeadsFunction",
    "ImportHistoryFunction",
)
"""Which are killed: the one that writes leads more often."""

PAUSE = (1.0, 6.0)
"""Seconds between two faults: enough for a partner to get some files through, or none."""


class Breaking(threading.Thread):
    """Breaks things until its time is over."""

    def __init__(self, stack: FragileStack, seed: int, until: float) -> None:
        super().__init__(name="breaking")
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._stack = stack
        self._choose = random.Random(seed)  # noqa: S311 (the same seed breaks the same)
        self._until = until

    def run(self) -> None:
        ways: list[tuple[str, Callable[[], object]]] = [
            ("functions killed", self._kill),
            ("functions killed", self._kill),
            ("sessions ended", self._end_sessions),
            ("hard stops of Postgres", self._stop_postgres),
            ("losses of all packets", self._stack.proxy.drop_packets),
        ]
        while True:
            time.sleep(self._choose.uniform(*PAUSE))
            if time.monotonic() > self._until:
                return
            what, way = self._choose.choice(ways)
            try:
                way()
            except Exception as error:
                self.wrong.append(f"{what}: {error!r}")
                return
            self.done[what] += 1

    def _kill(self) -> None:
        self._stack.kill(self._choose.choice(FUNCTIONS))

    def _end_sessions(self) -> None:
        with self._stack.superuser() as superuser:
            superuser.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'leads_app'"
            )

    def _stop_postgres(self) -> None:
        self._stack.stop_postgres_hard()
        time.sleep(self._choose.uniform(0, 2))
        self._stack.start_postgres_again()
