"""The batches of a large file, read and checked in a process of its own.

Within one process the interpreter lets one thread run at a time, so reading and talking to Postgres would
wait for each other (docs/decisions.md has the figures). Lambda has no /dev/shm, so there is no
multiprocessing queue: the file goes in through one pipe and the batches come out through another. The process
ends when either pipe does, so it never outlives its parent.
"""

import fcntl
import gc
import os
import subprocess  # nosec B404
import sys
import threading
import traceback
from collections.abc import Generator
from contextlib import ExitStack, suppress
from io import FileIO
from multiprocessing.connection import Connection
from typing import Final

from leads.csv_format.text_lines import BLOCK_SIZE, ByteSource
from leads.domain.seen_phones import KnownPhones
from leads.errors import FailureCode, InvalidFile, ServiceFault
from leads.use_cases.import_batches import Batch, FileLayout, read_batches

_PIPE_SIZE: Final = 1024 * 1024
"""Bytes that a pipe holds: as many as Linux lets an ordinary process ask for (pipe(7))."""

_NEEDED: Final = frozenset({"PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "TMPDIR"})

_END: Final = "end of the file"
"""What the process says last, if not code and reason of an InvalidFile, or which fault of its own it met."""


def read_batches_apart(
    source: ByteSource, *, chunk_rows: int, may_skip: bool, known: KnownPhones | None = None
) -> Generator[FileLayout | Batch, None, None]:
    """The same as `read_batches`, from another process. Close it to end that before the file ends.

    Raises InvalidFile, ServiceFault when the process dies, and what the source raises.
    """
    # Nothing of the command comes from outside.
    process = subprocess.Popen(  # noqa: S603  # nosec B603
        [sys.executable, "-m", __name__, str(chunk_rows), str(int(may_skip))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        # Lambda's runtime finds its layers by sys.path alone.
        env={**_environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with ExitStack() as ends:
        # From here on: whatever fails leaves no process behind.
        ends.callback(_end, process)
        if not isinstance(process.stdin, FileIO) or not isinstance(process.stdout, FileIO):
            raise TypeError("a pipe without a buffer is raw")
        for pipe in (process.stdin, process.stdout):
            # A user with many pipes may not have large ones; then it is slower.
            with suppress(OSError, AttributeError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        answers = Connection(os.dup(process.stdout.fileno()), writable=False)
        ends.callback(answers.close)
        feeder = _Feeder(source, process.stdin, known)
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
            case str() as fault if fault != _END:
                raise ServiceFault(f"the process that reads the file failed: {fault}")
            case None:
                raise ServiceFault("the process that reads the file died")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _environment() -> dict[str, str]:
    """What the process may know: it reads files of strangers and needs no password."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _NEEDED or name.startswith(("LC_", "MALLOC_"))
    }


def _receive(answers: Connection) -> object:
    """What the process sent, or None when it is gone."""
    try:
        return answers.recv()
    except (EOFError, OSError):
        return None


class _Feeder(threading.Thread):
    """Hands the process the endings of stored phones, for which an argument is too short, and the file."""

    def __init__(self, source: ByteSource, pipe: FileIO, known: KnownPhones | None) -> None:
        super().__init__(name="feed", daemon=True)
        self._before = b"-1 0\n" if known is None else b"%d %d\n" % (known.recent, len(known.tails))
        self._tails = b"" if known is None else known.tails.encode()
        self._source = source
        self._pipe = pipe
        self._error: BaseException | None = None

    def run(self) -> None:
        with self._pipe:
            try:
                if not (self._write(memoryview(self._before)) and self._write(memoryview(self._tails))):
                    return
                while (block := self._source.read(BLOCK_SIZE)) and self._write(memoryview(block)):
                    pass
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


def _read_known(pipe: FileIO) -> KnownPhones | None:
    recent, size = map(int, pipe.readline().split())
    read = bytearray()
    while len(read) < size:
        if not (part := pipe.read(size - len(read))):
            raise EOFError("nobody feeds the file any more")
        read += part
    return None if recent < 0 else KnownPhones(read.decode(), recent)


def _main(chunk_rows: int, may_skip: bool) -> None:
    """The process: the file on standard input, what `read_batches_apart` receives on standard output."""
    # A chunk makes tens of thousands of objects and no cycle: looking for cycles is a tenth of the time.
    gc.disable()
    answers = Connection(os.dup(1), readable=False)
    # What a library prints must not be taken for an answer.
    os.dup2(2, 1)
    with suppress(BrokenPipeError):
        try:
            file = FileIO(0)
            known = _read_known(file)
            for item in read_batches(file, chunk_rows=chunk_rows, may_skip=may_skip, known=known):
                answers.send(item)
            answers.send(_END)
        except InvalidFile as error:
            answers.send((error.code, str(error)))
        except BrokenPipeError:
            raise
        except Exception as error:
            # Without its message, which may hold a cell.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            answers.send(f"{type(error).__name__} at {frame.filename}:{frame.lineno}")


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2] == "1")
