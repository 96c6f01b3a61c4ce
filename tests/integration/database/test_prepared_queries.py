"""A statement is prepared once per connection, whatever happens to its transactions."""

import pytest

from leads.errors import DatabaseFault
from leads.postgres.connection import Connection
from tests.support.service import Service

DIVIDE = "SELECT 12 / CAST(:by AS integer), CAST(:name AS text)"


def prepared(connection: Connection) -> object:
    return connection.query_value("SELECT count(*) FROM pg_prepared_statements")


def test_query_prepared_prepares_a_statement_once(service: Service) -> None:
    with service.app() as connection:
        assert prepared(connection) == 0
        for by, name in ((3, "a"), (4, "b"), (3, None)):
            assert connection.query_prepared(DIVIDE, by=by, name=name) == [[12 // by, name]]
        assert prepared(connection) == 1
        assert connection.query_prepared("SELECT CAST(:by AS integer) WHERE false", by=1) == []
        assert prepared(connection) == 2


def test_query_prepared_survives_rollback_and_new_table(service: Service) -> None:
    with service.app() as connection:
        for found in ([[1], [2], [3]], [[1]]):
            with connection.transaction():
                connection.execute("CREATE TEMPORARY TABLE numbers (n integer) ON COMMIT DROP")
                connection.query("INSERT INTO numbers SELECT generate_series(1, :many)", many=len(found))
                assert (
                    connection.query_prepared("SELECT n FROM numbers WHERE n < :end ORDER BY n", end=9)
                    == found
                )
        assert prepared(connection) == 1


@pytest.mark.parametrize(
    ("statement", "state"),
    [(DIVIDE, "22012"), ("SELECT :by, :name FROM nowhere", "42P01")],
    ids=["when run", "when prepared"],
)
def test_query_prepared_can_be_used_after_a_fault(service: Service, statement: str, state: str) -> None:
    with service.app() as connection:
        for _ in range(2):
            with pytest.raises(DatabaseFault) as caught, connection.transaction():
                connection.query_prepared(statement, by=0, name="x")
            assert caught.value.sqlstate == state
        assert connection.query_prepared(DIVIDE, by=2, name="y") == [[6, "y"]]
