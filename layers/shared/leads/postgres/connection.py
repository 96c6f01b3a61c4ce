"""Connect to Postgres, run statements and transactions, translate errors: the one user of pg8000.

Every statement of the functions runs in a `transaction`, which names the organisation to row-level security
and rolls back unless `commit` is called. The driver's errors become DatabaseFault, which holds no text of the
server.

pg8000's public interface does not suffice, so these private names are used. requirements.txt pins the
version, and tests hold each name:

- `_usock`, the socket: for the time-out of an answer (tests/integration/jobs/test_hanging_answers.py), for
  TCP_NODELAY (database/test_connections.py) and for keepalive probes (jobs/test_locked_jobs.py).
- `_sock`, the stream that buffers the socket: for a larger buffer, from which copy_data.py reads, and for
  closing (database/test_copy_out.py).
- `message_types`, the handlers of messages: to read the rows of COPY TO STDOUT in place of the driver
  (database/test_copy_out.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Protocol, cast

from pg8000.core import COPY_DATA, Context
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection as Pg8000Connection
from pg8000.native import PreparedStatement, literal

from leads.errors import DatabaseFault
from leads.postgres.copy_data import READ_BUFFER_BYTES, read_copy_data
from leads.postgres.tcp import set_tcp_options
from leads.postgres.tls import tls_context
from leads.settings import DatabaseSettings

CONNECT_TIMEOUT_SECONDS: Final = 10.0
"""Time for a connection. Aurora answers in milliseconds.

A paused cluster takes longer to resume. Waiting for it would use up the 29 s of a caller of the API.
"""

ANSWER_TIMEOUT_SECONDS: Final = 10.0
"""Time for each answer of Postgres while a caller of the API waits, for at most 29 s in all."""

__all__ = ["Connection", "Database", "Sink", "Transaction", "literal"]


class Sink(Protocol):
    """Receives the rows of COPY TO STDOUT. If it raises, the connection is closed."""

    def write(self, data: bytes, rows: int, /) -> object:
        """Write whole rows, `rows` of them. A header line counts as a row."""
        ...


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise the driver's errors as DatabaseFault, without their text, which may hold a row."""
    try:
        yield
    except DatabaseError as error:
        answer = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        subject = answer.get("n") or answer.get("t") or answer.get("R") or ""
        raise DatabaseFault(answer.get("C"), subject) from None
    except (InterfaceError, OSError):
        raise DatabaseFault(None) from None


def _iam_token(settings: DatabaseSettings) -> str:
    # Only a function that logs in with tokens loads botocore for it.
    from leads.postgres.iam_token import iam_token

    return iam_token(settings.host, settings.port, settings.user)


class Connection:
    """One connection, in autocommit outside of a `transaction`. As a context manager it closes itself.

    Every method but `close` raises DatabaseFault.
    """

    def __init__(self, settings: DatabaseSettings, application: str, *, timeout: float | None = None) -> None:
        """Connect. `timeout` limits the seconds for connecting and for each answer.

        None means CONNECT_TIMEOUT_SECONDS for connecting and no limit for answers. Raises DatabaseFault.
        """
        with _translate_errors():
            self._pg = Pg8000Connection(
                settings.user,
                host=settings.host,
                port=settings.port,
                database=settings.name,
                password=settings.password if settings.password is not None else _iam_token(settings),
                ssl_context=tls_context() if settings.tls else False,
                timeout=timeout or CONNECT_TIMEOUT_SECONDS,
                application_name=application,
            )
            self._pg._usock.settimeout(timeout)
            set_tcp_options(self._pg._usock)
            # No message is under way that the replaced stream could have buffered.
            self._pg._sock = self._pg._usock.makefile(mode="rwb", buffering=READ_BUFFER_BYTES)
            self._pg.message_types[COPY_DATA] = self._read_rows
        self._prepared: dict[str, PreparedStatement] = {}
        self._closed = False

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session, and with it a transaction and all locks. A dead connection raises no error."""
        self._closed = True
        stream = self._pg._sock
        with suppress(DatabaseError, InterfaceError, OSError):
            self._pg.close()
        # A socket stays open as long as a stream of it is referenced, such as by the traceback of a sink's
        # error. Until then the server would keep the session and its locks.
        with suppress(AttributeError, OSError, ValueError):
            stream.close()

    def query(self, sql: str, **parameters: object) -> list[Sequence[object]]:
        """Run a statement with `:name` parameters and return its rows."""
        with _translate_errors():
            return cast(list[Sequence[object]], self._pg.run(sql, **parameters) or [])

    def query_prepared(self, sql: str, **parameters: object) -> list[Sequence[object]]:
        """Run a statement like `query`, but prepare it the first time, for as long as the connection lives.

        A prepared statement waits for the server once instead of three times. After five runs the server may
        use one plan for all values, unless plan_cache_mode forbids it (PostgreSQL, PREPARE). A table that
        the statement names may be created anew between runs.
        """
        with _translate_errors():
            if sql not in self._prepared:
                self._prepared[sql] = self._pg.prepare(sql)
            return cast(list[Sequence[object]], self._prepared[sql].run(**parameters) or [])

    def query_dicts(self, sql: str, **parameters: object) -> list[dict[str, object]]:
        """Run a statement and return its rows as dicts by column name."""
        rows = self.query(sql, **parameters)
        names = [column["name"] for column in self._pg.columns or ()]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def query_value(self, sql: str, **parameters: object) -> object:
        """Run a statement and return the first value of its first row, or None if there is no row."""
        rows = self.query(sql, **parameters)
        return rows[0][0] if rows else None

    def execute(self, sql: str) -> None:
        """Run several statements without parameters."""
        with _translate_errors():
            self._pg.run(sql)

    def copy_in(self, sql: str, blocks: Iterable[bytes]) -> None:
        """Run COPY … FROM STDIN. Each block is one message and one flush, so blocks should be large."""
        with _translate_errors():
            self._pg.run(sql, stream=blocks)

    def copy_out(self, sql: str, sink: Sink) -> int:
        """Run COPY … TO STDOUT, write many rows at once to the sink, and return their number.

        COPY has no parameters: use `literal`. An error of the sink is raised on, and closes the connection.
        """
        try:
            with _translate_errors():
                self._pg.run(sql, stream=sink)
                return cast(int, self._pg.row_count)
        except DatabaseFault:
            raise
        except BaseException:
            # An error of the sink. The rows that are still under way would be read by the next statement.
            self.close()
            raise

    def _read_rows(self, data: bytes, context: Context) -> None:
        """Handle a row that the driver has read, and read the rows after it.

        The driver would read all rows itself, with a call for each. It reads the first one, and one after
        each other message, such as a notice.
        """
        context.stream.write(data, 1)
        read_copy_data(self._pg._sock, context.stream.write)

    @contextmanager
    def transaction(self, org_id: str | None = None) -> Iterator["Transaction"]:
        """Open a READ COMMITTED transaction in which row-level security reveals the rows of `org_id`.

        With None it reveals no rows. The transaction is rolled back unless `commit` is called.
        """
        setting = f"; SELECT set_config('app.org_id', {literal(org_id)}, true)" if org_id is not None else ""
        self.execute(f"START TRANSACTION{setting}")
        transaction = Transaction(self)
        try:
            yield transaction
        finally:
            if not transaction.committed and not self._closed:
                # If the connection died, the server has rolled back.
                with suppress(DatabaseFault):
                    self.execute("ROLLBACK")


class Transaction:
    """The transaction of a `transaction` block."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.committed = False

    def limit_statements(self, seconds: float) -> None:
        """Limit the time of each further statement. One that exceeds it fails with STATEMENT_TIMEOUT."""
        self._connection.execute(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")

    def set_idle_timeout(self, seconds: float) -> None:
        """Limit the time between two statements. The role's own limit is 55 s.

        A longer limit suits only a program that ends in another way: it is killed, or its machine dies. The
        server notices both by the connection.
        """
        self._connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = {int(seconds * 1000)}")

    def commit(self) -> None:
        """Commit. After a DatabaseFault it is unknown whether the commit succeeded."""
        self._connection.execute("COMMIT")
        self.committed = True


class Database:
    """A source of connections.

    Each invocation opens the connections that it needs and closes them: none idles in a warm Lambda.
    """

    def __init__(self, settings: DatabaseSettings, application: str) -> None:
        self._settings = settings
        self._application = application

    def connect(self, *, timeout: float | None = None) -> Connection:
        """Open a connection. Raises DatabaseFault if the server is unreachable or refuses."""
        return Connection(self._settings, self._application, timeout=timeout)
