"""Cut blocks of text into lines.

Lines end with LF, CR or CRLF, mixed as they come, and keep their ends: csv needs them inside quoted cells.
"""

import io
from collections.abc import Iterator
from itertools import chain
from typing import Final

from leads.domain.failure_code import FailureCode
from leads.errors import InvalidFile

LINE_LIMIT: Final = 4 * 1024 * 1024
"""Characters of a line: four times the longest cell that is promised. Memory grows with it."""


class TooMuchText(Exception):
    """More was read than Lines.limit allows."""


class Lines:
    """Iterate over the lines of a text whose blocks are read on demand.

    Iterating raises InvalidFile for a line of more than LINE_LIMIT characters, TooMuchText, and what reading
    the blocks raises.
    """

    def __init__(self, blocks: Iterator[str]) -> None:
        self.characters = 0
        """Characters read so far."""
        self.limit: int | None = None
        """Characters that may be read, to a block."""
        # An iterator implemented in C: a generator would cost a call for each line.
        self._lines = chain.from_iterable(_line_blocks(self._counted(blocks)))

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _counted(self, blocks: Iterator[str]) -> Iterator[str]:
        for block in blocks:
            self.characters += len(block)
            if self.limit is not None and self.characters > self.limit:
                raise TooMuchText
            yield block


def _line_blocks(blocks: Iterator[str]) -> Iterator[list[str]]:
    """Yield the lines that each block completes; the rest of a block waits for the next one."""
    parts: list[str] = []
    waiting = 0
    for block in blocks:
        if "\n" not in block and "\r" not in block:
            parts.append(block)
            waiting += len(block)
            if waiting > LINE_LIMIT:
                raise InvalidFile(
                    FailureCode.INVALID_CSV,
                    f"A line is longer than {LINE_LIMIT:,} characters, so the file does not look like CSV. "
                    "Save it as CSV (UTF-8) and send that.",
                )
            continue
        parts.append(block)
        lines = io.StringIO("".join(parts), newline="").readlines()
        # The last line may go on, and a CR at its end may be the first half of a CRLF.
        parts = [lines.pop()] if not lines[-1].endswith("\n") else []
        waiting = sum(map(len, parts))
        yield lines
    if parts:
        yield io.StringIO("".join(parts), newline="").readlines()
