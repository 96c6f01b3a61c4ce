"""The batches of a large file, read and checked in a process of its own.

Within one process the interpreter lets one thread run at a time, so reading and talking to Postgres would
wait for each other (docs/decisions.md has the figures). Lambda has no /dev/shm, so there is no
multiprocessing queue: the file goes in through one pipe and the batches come out through another. The process
ends when either pipe does, so it never outlives its parent. What it does is in reader_worker.py.
"""

import fcntl
import os
import pickle  # nosec B403
import subprocess  # nosec B404
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import ExitStack, suppress
from io import FileIO
from itertools import chain
from typing import IO, Final

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile, ServiceFault
from leads.formats.decoding import BLOCK_BYTES, ByteSource
from leads.import_engine import reader_worker
from leads.import_engine.batches import Batch, FileLayout
from leads.import_engine.phone_filter import StoredPhones
from leads.import_engine.reader_worker import END, task

_PIPE_SIZE: Final = 1024 * 1024
"""Bytes that a pipe holds: as many as Linux lets an ordinary process ask for (pipe(7))."""

_NEEDED: Final = frozenset({"PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "TMPDIR"})


class ReaderProcess:
    """Reads one file in a process of its own, which takes 0.1 s to start. A context manager, which leaves no
    process behind.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ReaderProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()

    def start(self) -> "subprocess.Popen[bytes]":
        """Starts the process, if it has not been, to wait for the file: before that is there, it costs no
        time.
        """
        if self._process is None:
            # Nothing of the command comes from outside.
            self._process = subprocess.Popen(  # noqa: S603  # nosec B603
                [sys.executable, "-m", reader_worker.__name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                # Lambda's runtime finds its layers by sys.path alone.
                env={**_environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        return self._process

    def read_batches(
        self, source: ByteSource, *, chunk_rows: int, may_skip: bool, known: StoredPhones | None = None
    ) -> Generator[FileLayout | Batch, None, None]:
        """The same as the function of this name, once. Close it before the process, which ends with it.

        Raises InvalidFile, ServiceFault when the process dies, and what the source raises.
        """
        process = self.start()
        with ExitStack() as ends:
            if not isinstance(process.stdin, FileIO) or not isinstance(process.stdout, FileIO):
                raise TypeError("a pipe without a buffer is raw")
            for pipe in (process.stdin, process.stdout):
                # A user with many pipes may not have large ones; then it is slower.
                with suppress(OSError, AttributeError):
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
            answers = ends.enter_context(os.fdopen(os.dup(process.stdout.fileno()), "rb"))
            feeder = _Feeder(task(chunk_rows, may_skip, known), source, process.stdin)
            feeder.start()
            # What it feeds must be gone before it can be waited for.
            ends.callback(feeder.join)
            ends.callback(process.kill)
            while isinstance(answer := _receive(answers), FileLayout | Batch):
                yield answer
            # The process took the end of its pipe for that of the file: not so when the source broke off.
            feeder.finish()
            match answer:
                case (FailureCode() as code, str() as reason):
                    raise InvalidFile(code, reason)
                case str() as fault if fault != END:
                    raise ServiceFault(f"the process that reads the file failed: {fault}")
                case None:
                    raise ServiceFault("the process that reads the file died")


def _environment() -> dict[str, str]:
    """What the process may know: it reads files of strangers and needs no password."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _NEEDED or name.startswith(("LC_", "MALLOC_"))
    }


def _receive(answers: IO[bytes]) -> object:
    """What the process sent, or None when it is gone."""
    try:
        # Made by ourselves, in a process of this run.
        answer: object = pickle.load(answers)  # noqa: S301  # nosec B301
    except (EOFError, OSError, pickle.UnpicklingError):
        return None
    return answer


class _Feeder(threading.Thread):
    """Hands the process its task and the file."""

    def __init__(self, before: Iterable[bytes], source: ByteSource, pipe: FileIO) -> None:
        super().__init__(name="feed", daemon=True)
        self._before = before
        self._source = source
        self._pipe = pipe
        self._error: BaseException | None = None

    def run(self) -> None:
        with self._pipe:
            try:
                file = iter(lambda: self._source.read(BLOCK_BYTES), b"")
                for block in chain(self._before, file):
                    if not self._write(memoryview(block)):
                        return
            except BaseException as error:
                self._error = error

    def _write(self, block: memoryview) -> bool:
        """Whether the process wants more: one that has seen enough of the file has ended, and says why."""
        try:
            while block:
                block = block[self._pipe.write(block) :]
        except BrokenPipeError:
            return False
        return True

    def finish(self) -> None:
        """Waits for the end of the file. Raises what the source raised."""
        self.join()
        if self._error is not None:
            raise self._error
