"""What integration tests share beside the service."""

from collections.abc import Iterator

import pytest

from tests.support.service import Service
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def proxy(service: Service) -> Iterator[TcpProxy]:
    """A way to Postgres on which connections can be held and lost."""
    with TcpProxy(lambda: (service.postgres.host, service.postgres.port)) as running:
        yield running
