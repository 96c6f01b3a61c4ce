"""What integration tests share beside the service."""

import io
import logging
from collections.abc import Iterator

import pytest

from leads.observability import logger
from tests.support.service import Service
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def proxy(service: Service) -> Iterator[TcpProxy]:
    """A way to Postgres on which connections can be held and lost."""
    with TcpProxy(lambda: (service.postgres.host, service.postgres.port)) as running:
        yield running


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the functions log."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    yield lines
    logging.getLogger(logger.name).removeHandler(handler)
