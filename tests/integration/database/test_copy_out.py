"""COPY … TO STDOUT, which the connection reads in blocks, in place of the driver."""

import gc
from collections.abc import Iterator

import pytest

from leads.errors import DatabaseFault, ServiceFault
from tests.support.service import Service
from tests.support.waiting import wait_until

NOTICES = """
CREATE FUNCTION pg_temp.noticed(n integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF n % 3 = 0 THEN
        RAISE WARNING 'row %', n;
    END IF;
    RETURN n;
END
$$
"""
LOCKED = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND ((classid::bigint << 32) | objid::bigint) = 8675309
"""


class Written:
    """Receives rows and counts them."""

    def __init__(self) -> None:
        self.text = b""
        self.rows = 0

    def write(self, data: bytes, rows: int, /) -> None:
        self.text += data
        self.rows += rows


class SinkThatRefuses:
    """Raises at the first rows, and stores the error: its traceback refers to every frame down to it."""

    def __init__(self) -> None:
        self.raised: list[ServiceFault] = []

    def write(self, data: bytes, rows: int, /) -> None:
        self.raised.append(ServiceFault("refused"))
        raise self.raised[0]


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Stop garbage collection, which would free the cycle of an exception and its frames."""
    gc.disable()
    yield
    gc.enable()


def test_copy_out_with_notices_writes_every_row(service: Service) -> None:
    written = Written()
    with service.app() as connection, connection.transaction():
        connection.execute(NOTICES)
        query = "SELECT pg_temp.noticed(n) FROM generate_series(1, 1000) AS n"
        assert connection.copy_out(f"COPY ({query}) TO STDOUT (FORMAT csv)", written) == 1000
        assert connection.query_value("SELECT 1") == 1, "the connection can be used"
    assert written.text.split() == [str(n).encode() for n in range(1, 1001)]
    assert written.rows == 1000


def test_copy_out_with_an_error_leaves_the_connection_usable(service: Service) -> None:
    written = Written()
    with service.app() as connection:
        with pytest.raises(DatabaseFault) as caught, connection.transaction():
            connection.copy_out(
                "COPY (SELECT 1 / (500 - n) FROM generate_series(1, 1000) AS n) TO STDOUT", written
            )
        assert caught.value.sqlstate == "22012"
        assert connection.query_value("SELECT 1") == 1


@pytest.mark.usefixtures("no_collection")
def test_sink_that_raises_ends_the_session_at_once(service: Service) -> None:
    """The server releases the session's locks, although the error's traceback still exists."""
    sink = SinkThatRefuses()
    connection = service.app()
    connection.query_value("SELECT pg_advisory_lock(8675309)")
    with pytest.raises(ServiceFault, match="refused"):
        # Far more than sockets buffer, so that the server is still sending.
        connection.copy_out("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 200000)) TO STDOUT", sink)
    with service.owner() as owner:
        wait_until(lambda: not owner.query_value(LOCKED))
    assert sink.raised, "it must exist until here"
