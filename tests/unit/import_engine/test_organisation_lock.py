"""Check that an import waits for the organisation lock, but reserves time for the import itself."""

import pytest

from leads.import_engine.organisation_lock import MIN_BYTES_PER_SECOND, RESERVED_SECONDS, max_wait

RUN = 810.0
"""Seconds of a run. The handler reserves 90 of the 900 seconds."""


@pytest.mark.parametrize(
    ("size", "remaining", "waits"),
    [
        (0, RUN, RUN - RESERVED_SECONDS),
        (RESERVED_SECONDS * MIN_BYTES_PER_SECOND, RUN, RUN - RESERVED_SECONDS),
        (200 * MIN_BYTES_PER_SECOND, RUN, RUN - 200),
        (2 * 1024**3, RUN, RUN / 2),
        (0, 100.0, 50.0),
        (0, 0.0, 0.0),
    ],
    ids=["empty file", "file of the reserved time", "larger file", "largest file", "little time", "no time"],
)
def test_max_wait_reserves_time_for_the_file_up_to_half(size: int, remaining: float, waits: float) -> None:
    assert max_wait(size, remaining) == pytest.approx(waits)


def test_max_wait_of_three_deliveries_fits_in_life_of_an_event() -> None:
    assert 3 * max_wait(0, RUN) + 60 + 120 + 3 * RESERVED_SECONDS < 3600
