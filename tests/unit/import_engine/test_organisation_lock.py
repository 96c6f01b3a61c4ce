"""How long an import may wait for its turn: as long as what is left does for the import itself."""

import pytest

from leads.import_engine.organisation_lock import KEPT, SLOWEST, patience

RUN = 810.0
"""Seconds: of 900 the handler keeps 90."""


@pytest.mark.parametrize(
    ("size", "left", "waits"),
    [
        (0, RUN, RUN - KEPT),
        (KEPT * SLOWEST, RUN, RUN - KEPT),
        (200 * SLOWEST, RUN, RUN - 200),
        (2 * 1024**3, RUN, RUN / 2),
        (0, 100.0, 50.0),
        (0, 0.0, 0.0),
    ],
)
def test_as_much_is_kept_as_the_file_needs_at_the_slowest_but_half_at_the_most(
    size: int, left: float, waits: float
) -> None:
    assert patience(size, left) == pytest.approx(waits)


def test_three_deliveries_that_wait_fit_in_the_life_of_an_event() -> None:
    assert 3 * patience(0, RUN) + 60 + 120 + 3 * KEPT < 3600
