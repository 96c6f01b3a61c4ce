"""Set the thresholds of an import. The outcome is the same for all of them, which a test shows."""

from typing import Final, NamedTuple

from leads.formats.reader import CHUNK_ROWS

MERGE_ROWS: Final = 40_000
"""Rows merged at once. A merge has fixed costs, and finds phones that lie close together faster.

Not more, because the rows' lines stay in memory for the report until then (bench/README.md has the figures).
"""

LARGE_BYTES: Final = 4 * 1024 * 1024
"""Size from which a file is large: what one request may carry. A caller may wait for anything smaller."""


class Sizes(NamedTuple):
    """Thresholds in rows and in bytes of the file."""

    chunk_rows: int = CHUNK_ROWS
    merge_rows: int = MERGE_ROWS
    reader_process_bytes: int = LARGE_BYTES
    """Larger files are read in a process of their own, which takes 0.1 s to start."""
    phone_filter_bytes: int = LARGE_BYTES
    """For larger files the stored phones are read first, so that most rows need no look-up."""
