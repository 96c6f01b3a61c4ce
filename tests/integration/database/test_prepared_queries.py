"""A statement that is run again: prepared once for its connection, whatever becomes of its transactions."""

import pytest

from leads.errors import DatabaseFault
from leads.postgres.connection import Connection
from tests.support.service import Service

DIVIDE = "SELECT 12 / CAST(:by AS integer), CAST(:name AS text)"


def prepared(connection: Connection) -> object:
    return connection.query_value("SELECT count(*) FROM pg_prepared_statements")


def test_it_is_prepared_once_and_gives_each_time_what_its_parameters_ask_for(service: Service) -> None:
    with service.app() as connection:
        assert prepared(connection) == 0
        for by, name in ((3, "a"), (4, "b"), (3, None)):
            assert connection.query_prepared(DIVIDE, by=by, name=name) == [[12 // by, name]]
        assert prepared(connection) == 1
        assert connection.query_prepared("SELECT CAST(:by AS integer) WHERE false", by=1) == []
        assert prepared(connection) == 2


def test_it_outlives_a_rollback_and_a_table_that_was_made_anew(service: Service) -> None:
    with service.app() as connection:
        for found in ([[1], [2], [3]], [[1]]):
            with connection.transaction():
                connection.execute("CREATE TEMPORARY TABLE made (n integer) ON COMMIT DROP")
                connection.query("INSERT INTO made SELECT generate_series(1, :many)", many=len(found))
                assert (
                    connection.query_prepared("SELECT n FROM made WHERE n < :end ORDER BY n", end=9) == found
                )
        assert prepared(connection) == 1


@pytest.mark.parametrize(
    ("statement", "state"),
    [(DIVIDE, "22012"), ("SELECT :by, :name FROM nowhere", "42P01")],
    ids=["when run", "when prepared"],
)
def test_a_fault_of_it_is_told_like_any_other_and_the_next_transaction_goes_on(
    service: Service, statement: str, state: str
) -> None:
    with service.app() as connection:
        for _ in range(2):
            with pytest.raises(DatabaseFault) as caught, connection.transaction():
                connection.query_prepared(statement, by=0, name="x")
            assert caught.value.sqlstate == state
        assert connection.query_prepared(DIVIDE, by=2, name="y") == [[6, "y"]]
