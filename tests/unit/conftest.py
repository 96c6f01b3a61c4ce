"""No test in this folder opens a socket: what needs one stands in integration/ or e2e/."""

import pytest
from hypothesis import settings

# How long one example takes says nothing on a machine that others use too.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def no_sockets(socket_disabled: None) -> None:
    """pytest-socket's fixture, for every test below this folder and for no other."""
