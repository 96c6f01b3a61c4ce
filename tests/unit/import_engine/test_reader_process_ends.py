"""The process that reads a file ends with its work, and a fault of it says nothing of the file.

The fixture `started` holds every test to it that no process, thread or pipe is left.
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
from leads.import_engine.batches import Batch, FileLayout, read_batches
from leads.import_engine.read_ahead import read_ahead
from leads.import_engine.reader_process import ReaderProcess
from leads.import_engine.reader_worker import NICENESS
from tests.support.processes import Started
from tests.unit.fakes import SourceThatDribbles, SourceThatNeverEnds, SourceThatStalls
from tests.unit.import_engine.reading import read_batches_apart, reading_of

HEADER = b"name,phone,source\n"
ROW = b"Ana Ruiz,0612345678,web\n"
DIED = "^the process that reads the file died$"


def endless() -> SourceThatNeverEnds:
    return SourceThatNeverEnds(ROW, head=HEADER)


def test_nothing_is_started_before_the_layout_is_asked_for(
    started: Started,
) -> None:
    source = endless()
    read_batches_apart(source, chunk_rows=1000, may_skip=True).close()
    assert (started, source.bytes_read) == ([], 0)


def test_a_process_that_was_started_before_its_file_is_the_one_that_reads_it(started: Started) -> None:
    file = HEADER + ROW * 10
    with ReaderProcess() as process:
        process.start()
        process.start()
        assert len(started) == 1
        read = reading_of(process.read_batches, SourceThatDribbles(file))
    assert read == reading_of(read_batches, SourceThatDribbles(file))
    assert len(started) == 1


def test_a_process_that_was_started_and_given_no_file_ends(started: Started) -> None:
    with ReaderProcess() as process:
        process.start()
    assert len(started) == 1


@pytest.mark.parametrize("taken", [1, 2, 50])
def test_closing_early_ends_the_process(started: Started, taken: int) -> None:
    with closing(read_batches_apart(endless(), chunk_rows=1000, may_skip=True)) as items:
        kinds = [type(next(items)) for _ in range(taken)]
        assert kinds == [FileLayout] + [Batch] * (taken - 1)
    assert len(started) == 1


def test_an_error_of_who_takes_the_batches_ends_the_process(
    started: Started,
) -> None:
    items = read_batches_apart(endless(), chunk_rows=1000, may_skip=True)
    with pytest.raises(ZeroDivisionError), closing(read_ahead(items)) as ahead:
        next(ahead)
        raise ZeroDivisionError
    assert len(started) == 1


def test_the_process_gives_way_to_its_parent_who_talks_to_postgres(started: Started) -> None:
    with closing(read_batches_apart(endless(), chunk_rows=1000, may_skip=True)) as items:
        next(items)
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, started[0].pid) == min(own + NICENESS, 19)


def test_no_more_of_the_file_is_taken_than_fits_between_the_processes() -> None:
    source = endless()
    with closing(read_batches_apart(source, chunk_rows=1000, may_skip=True)) as items:
        next(items)
        before, deadline = -1, time.monotonic() + 20
        while source.bytes_read != before and time.monotonic() < deadline:
            before = source.bytes_read
            time.sleep(0.3)
        assert source.bytes_read == before < 8 * 1024**2


@pytest.mark.parametrize("taken", [1, 5])
def test_a_process_that_is_killed_is_a_fault_of_ours(started: Started, taken: int) -> None:
    with closing(read_batches_apart(endless(), chunk_rows=1000, may_skip=True)) as items:
        for _ in range(taken):
            next(items)
        started[0].kill()
        with pytest.raises(ServiceFault, match=DIED):
            # Those that were under way may still come.
            for _ in items:
                pass


def test_closing_while_a_source_stalls_ends_the_process_before_the_source_goes_on(
    started: Started,
) -> None:
    source = SourceThatStalls(HEADER + ROW * 20_000, ROW)

    def go_on_when_it_has_ended() -> None:
        started[0].wait(30)
        source.go_on.set()

    waiting = threading.Thread(target=go_on_when_it_has_ended)
    with closing(read_batches_apart(source, chunk_rows=1000, may_skip=True)) as items:
        next(items)
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
    """Has a process that begins from now on do this when it looks at a faulty row."""
    (folder / "sitecustomize.py").write_text(SABOTAGE.format(act=act))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])


FAULTY = HEADER + ROW + b"Zenobia,,fax-0612345678\n"


def test_a_crash_in_the_process_is_told_by_its_kind_and_place_and_by_nothing_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sabotage(monkeypatch, tmp_path, "raise ValueError(cells)")
    with pytest.raises(ServiceFault) as caught:
        reading_of(read_batches_apart, SourceThatDribbles(FAULTY, [1000]))
    place = f"{tmp_path / 'sitecustomize.py'}:6"
    assert str(caught.value) == f"the process that reads the file failed: ValueError at {place}"
    shown = capfd.readouterr()
    assert "Zenobia" not in shown.out + shown.err
    assert "0612345678" not in shown.out + shown.err


@pytest.mark.parametrize("act", ["os._exit(0)", "os._exit(3)", "os.abort()"])
def test_a_process_that_ends_without_a_word_is_a_fault_of_ours_whatever_it_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, act: str
) -> None:
    sabotage(monkeypatch, tmp_path, act)
    with pytest.raises(ServiceFault, match=DIED):
        reading_of(read_batches_apart, SourceThatDribbles(FAULTY, [1000]))


def test_what_a_library_prints_is_taken_for_no_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = reading_of(read_batches, SourceThatDribbles(FAULTY, [1000]))
    sabotage(monkeypatch, tmp_path, "print('\\0\\0\\0\\1x', flush=True); os.write(1, b'y' * 9)")
    assert reading_of(read_batches_apart, SourceThatDribbles(FAULTY, [1000])) == here


PARENT = """
import time
from tests.unit.fakes import SourceThatNeverEnds, SourceThatStalls
from tests.unit.import_engine.reading import read_batches_apart
header, row = b"name,phone,source\\n", b"Ana,06,web\\n"
items = read_batches_apart({source}, chunk_rows=1000, may_skip=True)
next(items)
print("reading", flush=True)
time.sleep(60)
"""
SOURCES = {
    "it waits for its parent to take a batch": "SourceThatNeverEnds(row, head=header)",
    "it waits for more of the file": "SourceThatStalls(header + row * 30_000, row)",
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_the_process_ends_in_silence_when_its_parent_is_killed(source: str) -> None:
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


@pytest.mark.parametrize("fed", [b"", b"9 1 1 1600000\n", b"9 1 1 1600000\n" + b"0" * 1000], ids=len)
def test_the_process_ends_when_its_parent_dies_before_the_file_begins(fed: bytes) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", reader_worker.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        # Which ends both pipes, as a parent's death does.
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        process.stdin.write(fed)
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("place", "name"), [(os, "dup"), (threading.Thread, "start")])
def test_what_fails_before_the_file_is_fed_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, started: Started, place: object, name: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(place, name, fail)
        items = read_batches_apart(endless(), chunk_rows=1000, may_skip=True)
        with pytest.raises(OSError, match="Too many open files"):
            next(items)
    (process,) = started
    assert process.returncode is not None
