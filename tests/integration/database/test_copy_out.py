"""COPY … TO STDOUT as the connection reads it: beside the driver, in blocks."""

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


class Kept:
    def __init__(self) -> None:
        self.text = b""
        self.rows = 0

    def write(self, data: bytes, rows: int, /) -> None:
        self.text += data
        self.rows += rows


class SinkThatRefuses:
    """Raises at the first rows, and keeps what it raised: its traceback holds every frame down to it."""

    def __init__(self) -> None:
        self.raised: list[ServiceFault] = []

    def write(self, data: bytes, rows: int, /) -> None:
        self.raised.append(ServiceFault("refused"))
        raise self.raised[0]


@pytest.fixture
def no_collection() -> Iterator[None]:
    """A cycle of an exception's frames stays as long as nobody looks for cycles."""
    gc.disable()
    yield
    gc.enable()


def test_messages_between_rows_are_no_rows_and_lose_none(service: Service) -> None:
    kept = Kept()
    with service.app() as connection, connection.transaction():
        connection.execute(NOTICES)
        query = "SELECT pg_temp.noticed(n) FROM generate_series(1, 1000) AS n"
        assert connection.copy_out(f"COPY ({query}) TO STDOUT (FORMAT csv)", kept) == 1000
        assert connection.query_value("SELECT 1") == 1, "the connection goes on"
    assert kept.text.split() == [str(n).encode() for n in range(1, 1001)]
    assert kept.rows == 1000


def test_error_after_rows_is_raised_and_the_connection_goes_on(service: Service) -> None:
    kept = Kept()
    with service.app() as connection:
        with pytest.raises(DatabaseFault) as caught, connection.transaction():
            connection.copy_out(
                "COPY (SELECT 1 / (500 - n) FROM generate_series(1, 1000) AS n) TO STDOUT", kept
            )
        assert caught.value.sqlstate == "22012"
        assert connection.query_value("SELECT 1") == 1


@pytest.mark.usefixtures("no_collection")
def test_sink_that_raises_gives_the_session_and_its_locks_back_at_once(service: Service) -> None:
    sink = SinkThatRefuses()
    connection = service.app()
    connection.query_value("SELECT pg_advisory_lock(8675309)")
    with pytest.raises(ServiceFault, match="refused"):
        # Far more than sockets hold, so that the server is still sending.
        connection.copy_out("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 200000)) TO STDOUT", sink)
    with service.owner() as owner:
        wait_until(lambda: not owner.query_value(LOCKED))
    assert sink.raised, "kept until here"
