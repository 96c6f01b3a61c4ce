"""Check that the reader process ends with its work, and that its faults disclose nothing of the file.

After each test, the fixture `started` checks that no process, thread or pipe is open.
"""

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from leads.errors import ServiceFault
from leads.import_engine import reader_worker
from leads.import_engine.batches import ReadTask, read_batches
from leads.import_engine.frames import frame
from leads.import_engine.phone_filter import StoredPhones
from leads.import_engine.read_ahead import ReadAhead
from leads.import_engine.reader_process import ReaderProcess
from leads.import_engine.reader_worker import NICENESS
from tests.support.processes import Started
from tests.unit.fakes import NoConnection, SourceThatDribbles, SourceThatNeverEnds, SourceThatStalls
from tests.unit.import_engine.reading import SKIP, read_batches_apart, reading_of

HEADER = b"name,phone,source\n"
ROW = b"Ana Ruiz,0612345678,web\n"
DIED = "^the reader process died$"


def endless() -> SourceThatNeverEnds:
    return SourceThatNeverEnds(ROW, head=HEADER)


def test_process_started_before_its_file_reads_it(started: Started) -> None:
    file = HEADER + ROW * 10
    with ReaderProcess() as process:
        process.start()
        process.start()
        assert len(started) == 1
        read = reading_of(process.read_batches, SourceThatDribbles(file))
    assert read == reading_of(read_batches, SourceThatDribbles(file))
    assert len(started) == 1


def test_process_without_a_file_ends(started: Started) -> None:
    with ReaderProcess() as process:
        process.start()
    assert len(started) == 1


@pytest.mark.parametrize("received", [0, 1, 50])
def test_close_before_the_last_batch_ends_the_process(started: Started, received: int) -> None:
    _, items = read_batches_apart(endless(), SKIP)
    with closing(items):
        assert [next(items).leads for _ in range(received)] == [1000] * received
    assert len(started) == 1


def test_error_of_the_consumer_ends_the_process(
    started: Started,
) -> None:
    def fail() -> None:
        with closing(ReadAhead(lambda: read_batches_apart(endless(), SKIP), NoConnection())) as ahead:
            next(iter(ahead))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(started) == 1


def test_process_has_lower_priority_than_its_parent(started: Started) -> None:
    """The parent sends rows to Postgres, so it must not wait for the CPU."""
    _, items = read_batches_apart(endless(), SKIP)
    with closing(items):
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, started[0].pid) == min(own + NICENESS, 19)


def test_source_is_read_no_further_than_the_pipes_hold() -> None:
    source = endless()
    _, items = read_batches_apart(source, SKIP)
    with closing(items):
        before, deadline = -1, time.monotonic() + 20
        while source.bytes_read != before and time.monotonic() < deadline:
            before = source.bytes_read
            time.sleep(0.3)
        assert source.bytes_read == before < 8 * 1024**2


@pytest.mark.parametrize("received", [0, 4])
def test_killed_process_raises_service_fault(started: Started, received: int) -> None:
    _, items = read_batches_apart(endless(), SKIP)
    with closing(items):
        for _ in range(received):
            next(items)
        started[0].kill()
        with pytest.raises(ServiceFault, match=DIED):
            # Batches in the pipe may still arrive.
            for _ in items:
                pass


def test_close_during_a_stall_ends_the_process_first(
    started: Started,
) -> None:
    """The source goes on only after the process has ended."""
    source = SourceThatStalls(HEADER + ROW * 20_000, ROW)

    def go_on_when_it_has_ended() -> None:
        started[0].wait(30)
        source.go_on.set()

    waiting = threading.Thread(target=go_on_when_it_has_ended)
    _, items = read_batches_apart(source, SKIP)
    with closing(items):
        assert source.stalls.wait(30)
        waiting.start()
    waiting.join()
    assert source.go_on.is_set()


SABOTAGE = """
import os, sys
import leads.formats.reader as reader
row_errors = reader.row_errors
def sabotaged(row, fields, cells):
    {act}
    return row_errors(row, fields, cells)
reader.row_errors = sabotaged
"""


def sabotage(monkeypatch: pytest.MonkeyPatch, folder: Path, act: str) -> None:
    """Make each new process do this when it checks a faulty row."""
    (folder / "sitecustomize.py").write_text(SABOTAGE.format(act=act))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])


FAULTY = HEADER + ROW + b"Zenobia,,fax-0612345678\n"


def test_crash_is_reported_by_type_and_place_without_cells(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sabotage(monkeypatch, tmp_path, "raise ValueError(cells)")
    with pytest.raises(ServiceFault) as caught:
        reading_of(read_batches_apart, SourceThatDribbles(FAULTY, [1000]))
    place = f"{tmp_path / 'sitecustomize.py'}:6"
    assert str(caught.value) == f"the reader process failed: ValueError at {place}"
    printed = capfd.readouterr()
    assert "Zenobia" not in printed.out + printed.err
    assert "0612345678" not in printed.out + printed.err


@pytest.mark.parametrize(
    "act", ["os._exit(0)", "os._exit(3)", "os.abort()"], ids=["exit 0", "exit 3", "abort"]
)
def test_process_that_exits_without_reply_is_a_service_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, act: str
) -> None:
    sabotage(monkeypatch, tmp_path, act)
    with pytest.raises(ServiceFault, match=DIED):
        reading_of(read_batches_apart, SourceThatDribbles(FAULTY, [1000]))


def test_output_that_a_library_prints_is_no_reply(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = reading_of(read_batches, SourceThatDribbles(FAULTY, [1000]))
    sabotage(monkeypatch, tmp_path, "print('\\0\\0\\0\\1x', flush=True); os.write(1, b'y' * 9)")
    assert reading_of(read_batches_apart, SourceThatDribbles(FAULTY, [1000])) == here


PARENT = """
import time
from tests.unit.fakes import SourceThatNeverEnds, SourceThatStalls
from tests.unit.import_engine.reading import SKIP, read_batches_apart
header, row = b"name,phone,source\\n", b"Ana,06,web\\n"
items = read_batches_apart({source}, SKIP)
print("reading", flush=True)
time.sleep(60)
"""
SOURCES = {
    "waiting for the parent to read a batch": "SourceThatNeverEnds(row, head=header)",
    "waiting for more of the file": "SourceThatStalls(header + row * 30_000, row)",
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_process_ends_without_output_when_parent_is_killed(source: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(source=source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"reading\n"
        parent.kill()
        # The process has its parent's standard error, which ends when it does.
        assert parent.communicate(timeout=30) == (b"", b"")


TASK = b"".join(frame(ReadTask(9, True, StoredPhones("0" * 1_600_000, recent=1))))


@pytest.mark.parametrize(
    "fed",
    [b"", TASK[:5], TASK[:1000], TASK],
    ids=["nothing", "part of the length", "part of the task", "the task"],
)
def test_process_ends_when_parent_dies_before_the_file(fed: bytes) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", reader_worker.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        # Both pipes end, as they do when a parent dies.
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(fed)
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("place", "name"), [(os, "dup"), (threading.Thread, "start")], ids=["a pipe", "a thread"]
)
def test_start_that_fails_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, started: Started, place: object, name: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(place, name, fail)
        with pytest.raises(OSError, match="Too many open files"):
            read_batches_apart(endless(), SKIP)
    (process,) = started
    assert process.returncode is not None
