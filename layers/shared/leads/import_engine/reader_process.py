"""Read the batches of a large file in a process of its own.

Within one process the interpreter lets one thread run at a time, so reading the file and feeding Postgres
would wait for each other (docs/decisions/ has the figures). Lambda has no /dev/shm, so multiprocessing queues
are not available: the file goes in through one pipe and the batches come out through another. The process
ends when either pipe does, so it never outlives its parent. reader_worker.py is its program.
"""

import fcntl
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import FileIO
from itertools import chain
from typing import Final

from leads.errors import InvalidFile, ServiceFault
from leads.formats.decoding import BLOCK_BYTES, ByteSource
from leads.import_engine import reader_worker
from leads.import_engine.batches import Batch, FileLayout, ReadTask
from leads.import_engine.frames import ReadEnd, frame, read_frame

_PIPE_BYTES: Final = 1024 * 1024
"""Size of a pipe: as large as Linux lets an ordinary process ask for (pipe(7))."""

_PASSED_ON: Final = frozenset({"PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "TMPDIR"})
"""Variables that the process gets. It reads files of strangers and needs no password."""


class ReaderProcess:
    """Read one file in a process of its own, which takes 0.1 s to start. A context manager.

    No process remains after its block.
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
        """Start the process, unless it has been started, so that it is ready when the file is."""
        if self._process is None:
            # Nothing of the command comes from outside.
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", reader_worker.__name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                # Lambda's runtime finds its layers by sys.path alone.
                env={**_environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        return self._process

    def read_batches(self, source: ByteSource, task: ReadTask) -> tuple[FileLayout, "ProcessBatches"]:
        """Do the same as the function of this name, once. Close the batches before this process.

        Raises:
            InvalidFile: The file cannot be read.
            ServiceFault: The process died or failed.
        """
        batches = ProcessBatches(self.start(), source, task)
        try:
            return batches.read_layout(), batches
        except BaseException:
            batches.close()
            raise


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith(("LC_", "MALLOC_"))
    }


class ProcessBatches:
    """The batches that the process answers with, while a thread feeds it the file."""

    def __init__(self, process: "subprocess.Popen[bytes]", source: ByteSource, task: ReadTask) -> None:
        if not isinstance(process.stdin, FileIO) or not isinstance(process.stdout, FileIO):
            raise TypeError("a pipe without a buffer is raw")
        for pipe in (process.stdin, process.stdout):
            # A user with many pipes may not have large ones. Then it is slower.
            with suppress(OSError, AttributeError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._process = process
        self._answers = os.fdopen(os.dup(process.stdout.fileno()), "rb")
        self._feeder = _Feeder(frame(task), source, process.stdin)
        try:
            self._feeder.start()
        except BaseException:
            self._answers.close()
            raise

    def read_layout(self) -> FileLayout:
        """Return the first answer. Raises as ReaderProcess.read_batches, and what the source raises."""
        answer = self._answer()
        if not isinstance(answer, FileLayout):
            raise ServiceFault("the reader process answered without a layout")
        return answer

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        answer = self._answer()
        if not isinstance(answer, Batch):
            raise StopIteration
        return answer

    def close(self) -> None:
        """End the process, and wait for the thread that feeds it."""
        self._process.kill()
        self._feeder.join()
        self._answers.close()

    def _answer(self) -> object:
        """Return the next answer, or None after the last one of a file that was read to its end."""
        try:
            answer = read_frame(self._answers)
        except (EOFError, OSError, pickle.UnpicklingError):
            answer = None
        if isinstance(answer, FileLayout | Batch):
            return answer
        # The process takes the end of its pipe for that of the file, which it is not if the source failed.
        self._feeder.finish()
        if not isinstance(answer, ReadEnd):
            raise ServiceFault("the reader process died")
        if answer.refusal is not None:
            raise InvalidFile(*answer.refusal)
        if answer.crash is not None:
            raise ServiceFault(f"the reader process failed: {answer.crash}")
        return None


class _Feeder(threading.Thread):
    """Write the task and the file to the process."""

    def __init__(self, task: Iterable[bytes], source: ByteSource, pipe: FileIO) -> None:
        super().__init__(name="feed", daemon=True)
        self._task = task
        self._source = source
        self._pipe = pipe
        self._error: BaseException | None = None

    def run(self) -> None:
        """Write until the file ends, the source fails, or the process has seen enough."""
        with self._pipe:
            try:
                file = iter(lambda: self._source.read(BLOCK_BYTES), b"")
                for block in chain(self._task, file):
                    if not self._write(memoryview(block)):
                        break
            except BaseException as error:
                self._error = error

    def _write(self, block: memoryview) -> bool:
        """Write a block. Return False if the process has ended; its last answer says why."""
        try:
            while block:
                block = block[self._pipe.write(block) :]
        except BrokenPipeError:
            return False
        return True

    def finish(self) -> None:
        """Wait for the end of the file. Raises what the source raised."""
        self.join()
        if self._error is not None:
            raise self._error
