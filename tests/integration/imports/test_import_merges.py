"""Run many merges: they hold no memory for staged rows, and each has its own plan."""

import weakref
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pytest

from leads.formats.decoding import ByteSource
from leads.import_engine import batches, import_file, merger, read_ahead
from leads.import_engine.batches import Batch, FileLayout, ReadTask
from leads.import_engine.read_ahead import ReadAhead
from leads.import_engine.sizes import Sizes
from leads.jobs.outcome import COMPLETED
from leads.postgres.staging import Staging
from tests.support.imports import counts, job_of, run_import, uploaded
from tests.support.service import Caller, Service

ROWS = 300
CONTENT = "name,phone,source\n" + "".join(f"A,01{n % 200:08},web\n" for n in range(ROWS))
"""Each phone comes more than once, so that merges look some up."""
CHUNK = 5
MERGE = Staging.merge
MANY_MERGES = Sizes(chunk_rows=CHUNK, merge_rows=4 * CHUNK, phone_filter_bytes=0)


class AllAtOnce(ReadAhead):
    """A ReadAhead that has all batches before the merger asks, and still refers to the list."""

    def __iter__(self) -> Iterator[list[Batch]]:
        self._thread.join()
        ready, self._ready = self._ready, []
        yield ready


@pytest.mark.parametrize("ahead", [ReadAhead, AllAtOnce])
def test_merge_releases_the_staged_rows_first(
    service: Service,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    ahead: type[ReadAhead],
) -> None:
    monkeypatch.setattr(import_file, "ReadAhead", ahead)
    monkeypatch.setattr(read_ahead, "MAX_BATCHES", ROWS)
    blocks: list[weakref.ref[memoryview]] = []
    in_memory: list[int] = []
    staged = 0

    def read(source: ByteSource, task: ReadTask) -> tuple[FileLayout, Generator[Batch, None, None]]:
        layout, items = batches.read_batches(source, task)
        return layout, watched(items)

    def watched(items: Iterator[Batch]) -> Generator[Batch, None, None]:
        for item in items:
            # bytes have no weak references, a memoryview has.
            block = memoryview(item.block)
            blocks.append(weakref.ref(block))
            yield item._replace(block=block)  # type: ignore[arg-type]
            del block, item

    def merge(staging: Staging, *arguments: Any) -> list[int]:
        nonlocal staged
        # Before any query: the driver refers to the last block that it sent.
        there = [block() is not None for block in blocks]
        staged += int(str(staging._connection.query_value("SELECT count(*) FROM staging"))) // CHUNK
        in_memory.append(sum(there[:staged]))
        return MERGE(staging, *arguments)

    monkeypatch.setattr(import_file, "read_batches", read)
    monkeypatch.setattr(Staging, "merge", merge)
    file = uploaded(service, caller, CONTENT.encode())
    assert run_import(service, file, MANY_MERGES).ended == COMPLETED
    assert staged == len(blocks) == ROWS // CHUNK
    # The block that completed the merge may still be in memory.
    assert max(in_memory) <= 1 < len(in_memory)


def test_merge_of_long_rows_has_fewer_rows(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40,000 rows with 10,000 characters of notes would need 400 MB."""
    merges = 0

    def merge(staging: Staging, *arguments: Any) -> list[int]:
        nonlocal merges
        merges += 1
        return MERGE(staging, *arguments)

    monkeypatch.setattr(Staging, "merge", merge)
    monkeypatch.setattr(merger, "MERGE_BYTES", 100_000)
    rows = "".join(f"A,06{n:08},web,{'x' * 5000}\n" for n in range(100))
    file = uploaded(service, caller, f"name,phone,source,notes\n{rows}".encode())
    assert run_import(service, file, Sizes(chunk_rows=10, merge_rows=40_000)).ended == COMPLETED
    # Ten rows reach MERGE_BYTES, with their lines for the report. Counted in rows, merges would have 1, 2, 4
    # and 3 chunks.
    assert merges == 10


@pytest.mark.parametrize("strategy", ["SKIP", "OVERWRITE", "CREATE_NEW"])
def test_merge_is_planned_for_its_own_rows(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    """A generic plan would look up possible duplicates row by row, which takes ten times as long."""
    plans: list[Sequence[object]] = []

    def merge(staging: Staging, *arguments: Any) -> list[int]:
        skipped = MERGE(staging, *arguments)
        plans[:] = staging._connection.query("SELECT generic_plans, custom_plans FROM pg_prepared_statements")
        return skipped

    monkeypatch.setattr(Staging, "merge", merge)
    file = uploaded(service, caller, CONTENT.encode(), strategy)
    assert run_import(service, file, MANY_MERGES).ended == COMPLETED
    assert counts(job_of(service, caller, file))[0] == ROWS
    assert len(plans) == (2 if strategy == "SKIP" else 1)
    for generic, custom in plans:
        assert generic == 0
        assert int(str(custom)) > 5, "Postgres considers a generic plan after five"
