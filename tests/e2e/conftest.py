"""One running stack for the tests that speak HTTP to the service."""

from collections.abc import Iterator

import pytest

from local.stack import Stack
from tests.support.fragile_stack import FragileStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole service on loopback, thrown away at the end."""
    with Stack(tmp_path_factory.mktemp("stack"), throw_away=True) as running:
        yield running


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FragileStack]:
    """Run a stack for the tests that break it.

    Its proxy lives in this process, where unit tests turn sockets off: it must have ended by then.
    """
    running = FragileStack(tmp_path_factory.mktemp("fragile"))
    with running:
        yield running
