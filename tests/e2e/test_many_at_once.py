"""Import many files at the same moment: of one organisation, and of fifty."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from local.aws.lambda_environments import CONCURRENCY
from tests.e2e.test_killed_at_any_moment import lead_count, post
from tests.e2e.test_service import IMPORT, Client
from tests.support.fault_table import Seen
from tests.support.fragile_stack import FragileStack
from tests.support.waiting import wait_until

PHONES = 300
SKIP = f"{IMPORT}?mergeStrategy=SKIP"
BOUND = 2 * CONCURRENCY + CONCURRENCY
"""Connections of the functions: a run has one and another for its progress, and an API function has one."""


def content(organisation: int, row: str = "A") -> bytes:
    rows = b"".join(b"%b,06%02d%06d,web\n" % (row.encode(), organisation, n) for n in range(PHONES))
    return b"name,phone,source\n" + rows


@contextmanager
def peak_connections(stack: FragileStack) -> Iterator[list[int]]:
    """Sample the connections of the functions during the block, and yield the highest number."""
    peak, over = [0], threading.Event()

    def look() -> None:
        with stack.superuser() as superuser:
            while not over.wait(0.02):
                now = superuser.query_value(
                    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'leads_app'"
                )
                peak[0] = max(peak[0], int(str(now)))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peak
    finally:
        over.set()
        looking.join()


def import_all(stack: FragileStack, files: list[tuple[Client, bytes]]) -> list[tuple[int, int]]:
    """Send all files at once, and return success and skipped of each job once all have ended."""

    def ended(client: Client, id: int) -> bool:
        # Twenty processes start at once, and any of them may answer.
        answer = client.request("GET", f"{IMPORT}/history/{id}", timeout=30)
        return answer.json()["status"] in ("COMPLETED", "FAILED")

    with ThreadPoolExecutor(CONCURRENCY) as threads:
        ids = list(threads.map(lambda file: post(file[0], file[1], SKIP), files))
        jobs = [(client, id) for (client, _), id in zip(files, ids, strict=True)]
        for job in jobs:
            for _ in range(4):
                try:
                    wait_until(lambda job=job: ended(*job))  # type: ignore[misc]
                    break
                except AssertionError:
                    continue
    details = [client.request("GET", f"{IMPORT}/history/{id}").json() for client, id in jobs]
    assert {job["status"] for job in details} == {"COMPLETED"}
    return [(job["successCount"], job["skippedCount"]) for job in details]


@pytest.mark.slow_fault
@pytest.mark.fault("20 imports of one organisation with the same phones")
def test_20_imports_of_one_organisation_add_no_duplicate(fragile: FragileStack, seen: Seen) -> None:
    client = Client(fragile)
    with peak_connections(fragile) as peak:
        results = import_all(fragile, [(client, content(0, str(n))) for n in range(20)])
    assert sorted(results) == [(0, PHONES)] * 19 + [(PHONES, 0)]
    assert lead_count(fragile, client.org) == PHONES
    assert 0 < peak[0] <= BOUND
    seen(f"20 COMPLETED, {PHONES} phones, each once; at most {peak[0]} connections of {BOUND}")


@pytest.mark.slow_fault
@pytest.mark.fault("50 organisations at once")
def test_50_organisations_at_once_are_all_served(fragile: FragileStack, seen: Seen) -> None:
    clients = [Client(fragile) for _ in range(50)]
    with peak_connections(fragile) as peak:
        results = import_all(fragile, [(client, content(n)) for n, client in enumerate(clients)])
    assert results == [(PHONES, 0)] * 50
    assert [lead_count(fragile, client.org) for client in clients] == [PHONES] * 50
    assert 0 < peak[0] <= BOUND
    seen(f"50 COMPLETED, {PHONES} leads each; at most {peak[0]} connections of {BOUND}")
