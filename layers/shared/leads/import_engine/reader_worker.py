"""The process of import_batches_apart.py: a file on standard input, what came of it on standard output.

It loads what reading needs and nothing else: a large import waits for its start. It ends when either pipe
does.
"""

import gc
import os
import pickle  # nosec B403
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from typing import Final

from leads.errors import InvalidFile
from leads.import_engine.batches import read_batches
from leads.import_engine.phone_filter import StoredPhones

NICENESS: Final = 10
"""Added to the process's own (setpriority(2)). Where there are fewer cores than processes the one that talks
to Postgres goes first: while it waits for a core, Postgres has nothing to do. Not 19, with which a machine
that has much else to do would hardly ever read.
"""

END: Final = "end of the file"
"""What the process says last, if not code and reason of an InvalidFile, or which fault of its own it met."""


def task(chunk_rows: int, may_skip: bool, known: StoredPhones | None) -> Iterator[bytes]:
    """What the process is given before the file, for an argument is too short: the endings of stored phones
    are.
    """
    recent, tails = (-1, b"") if known is None else (known.recent, known.tails.encode())
    yield b"%d %d %d %d\n" % (chunk_rows, may_skip, recent, len(tails))
    yield tails


def _read_task(pipe: FileIO) -> tuple[int, bool, StoredPhones | None]:
    chunk_rows, may_skip, recent, size = map(int, pipe.readline().split())
    read = bytearray()
    while len(read) < size:
        if not (part := pipe.read(size - len(read))):
            raise EOFError("nobody feeds the file any more")
        read += part
    return chunk_rows, bool(may_skip), None if recent < 0 else StoredPhones(read.decode(), recent)


def _say(answers: FileIO, answer: object) -> None:
    left = memoryview(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))
    while left:
        left = left[answers.write(left) :]


def main() -> None:
    """Answers with what `read_batches` gives, then with how it ended."""
    # A chunk makes tens of thousands of objects and no cycle: looking for cycles is a tenth of the time.
    gc.disable()
    # Who runs it may forbid that: then it is slower.
    with suppress(OSError):
        os.nice(NICENESS)
    answers = FileIO(os.dup(1), "wb")
    # What a library prints must not be taken for an answer.
    os.dup2(2, 1)
    with suppress(BrokenPipeError):
        try:
            file = FileIO(0)
            chunk_rows, may_skip, known = _read_task(file)
            for item in read_batches(file, chunk_rows=chunk_rows, may_skip=may_skip, known=known):
                _say(answers, item)
            _say(answers, END)
        except InvalidFile as error:
            _say(answers, (error.code, str(error)))
        except BrokenPipeError:
            raise
        except Exception as error:
            # Without its message, which may hold a cell.
            at = error.__traceback__
            while at is not None and at.tb_next is not None:
                at = at.tb_next
            place = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else "nowhere"
            _say(answers, f"{type(error).__name__} at {place}")


if __name__ == "__main__":
    main()
