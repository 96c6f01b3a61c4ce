"""One running stack for the tests that speak HTTP to the service."""

from collections.abc import Iterator

import pytest

from local.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole service on loopback, thrown away at the end."""
    with Stack(tmp_path_factory.mktemp("stack"), throw_away=True) as running:
        yield running
