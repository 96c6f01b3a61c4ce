"""Run as the reader process, from a task and a file on standard input to batches on standard output.

The task is one frame (frames.py), and the bytes of the file follow it up to the end of the pipe. The answers
are a FileLayout, then each Batch, then a ReadEnd.

The program loads what reading needs and nothing else, because a large import waits for its start. It ends
when either pipe does.
"""

import gc
import os
from contextlib import suppress
from io import FileIO
from typing import Final

from leads.errors import InvalidFile
from leads.import_engine.batches import ReadTask, read_batches
from leads.import_engine.frames import ReadEnd, frame, read_frame

NICENESS: Final = 10
"""Added to the process's own (setpriority(2)). With fewer cores than processes, Postgres' client goes first.

While that client waits for a core, Postgres has nothing to do. With 19, a busy machine would hardly ever run
the reader.
"""


def _send(pipe: FileIO, message: object) -> None:
    for part in frame(message):
        unsent = memoryview(part)
        while unsent:
            unsent = unsent[pipe.write(unsent) :]


def main() -> None:
    """Read one file and answer with its layout, its batches and how it ended."""
    # A chunk makes tens of thousands of objects and no cycle: looking for cycles is a tenth of the time.
    gc.disable()
    # The operating system may forbid it. Then the import is slower.
    with suppress(OSError):
        os.nice(NICENESS)
    answers = FileIO(os.dup(1), "wb")
    # What a library prints must not be taken for an answer.
    os.dup2(2, 1)
    with suppress(BrokenPipeError):
        _send(answers, _answer(answers))


def _answer(answers: FileIO) -> ReadEnd:
    try:
        file = FileIO(0)
        task = read_frame(file)
        if not isinstance(task, ReadTask):
            raise TypeError("the first frame is no task")
        layout, batches = read_batches(file, task)
        _send(answers, layout)
        for batch in batches:
            _send(answers, batch)
    except InvalidFile as error:
        return ReadEnd(refusal=(error.code, str(error)))
    except BrokenPipeError:
        raise
    except Exception as error:
        at = error.__traceback__
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        place = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else "nowhere"
        return ReadEnd(crash=f"{type(error).__name__} at {place}")
    return ReadEnd()


if __name__ == "__main__":
    main()
