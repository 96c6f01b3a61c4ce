"""An import waits for the organisation lock as long as the remaining time does for the import itself."""

import pytest

from leads.import_engine.organisation_lock import MIN_BYTES_PER_SECOND, RESERVED_SECONDS, max_wait

RUN = 810.0
"""Seconds of a run: of 900 the handler reserves 90."""


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
)
def test_max_wait_reserves_time_for_the_file_but_half_at_most(
    size: int, remaining: float, waits: float
) -> None:
    assert max_wait(size, remaining) == pytest.approx(waits)


def test_max_wait_lets_three_deliveries_fit_in_the_life_of_an_event() -> None:
    assert 3 * max_wait(0, RUN) + 60 + 120 + 3 * RESERVED_SECONDS < 3600
