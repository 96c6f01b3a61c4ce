"""What integration tests share beside the service."""

import io
import logging
from collections.abc import Iterator

import pytest

from leads.observability import logger
from leads.postgres.statements import statement
from tests.support.expiry import EXPORT, IMPORT
from tests.support.service import Service
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def proxy(service: Service) -> Iterator[TcpProxy]:
    """A way to Postgres on which connections can be held and lost."""
    with TcpProxy(lambda: (service.postgres.host, service.postgres.port)) as running:
        yield running


@pytest.fixture
def no_unfinished_jobs(service: Service) -> None:
    """For a test of all that a run of expire_jobs did: what other tests left falls overdue with time."""
    with service.owner() as connection:
        for table in (IMPORT, EXPORT):
            unfinished = f"SELECT org_id, id FROM {table} WHERE status IN ('PENDING', 'PROCESSING')"  # noqa: S608
            for org, id in connection.query(unfinished):
                connection.query(
                    statement(f"{table}_fail"), org_id=org, id=id, code="INTERNAL", reason="Left"
                )


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the functions log."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    yield lines
    logging.getLogger(logger.name).removeHandler(handler)
