"""Connections, transactions, and what goes wrong with them: the one place that knows pg8000.

Every statement of the functions runs in a `transaction`, which names the organisation to row-level security;
it rolls back unless it is told to commit. Errors of the driver become DatabaseFault, which carries no text of
the server's.
"""

import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Protocol, cast

from pg8000.core import COPY_DATA, COPY_OUT_RESPONSE, Context
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection as Pg8000Connection
from pg8000.native import PreparedStatement, literal

from leads.errors import DatabaseFault
from leads.postgres.copy_data import READ_BUFFER, read_copy_data
from leads.postgres.tls import tls_context
from leads.settings import DatabaseSettings

CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection: Aurora answers in milliseconds, and a paused one is not worth an API's 29
s.
"""

ANSWER_TIMEOUT_SECONDS: Final = 10.0
"""Seconds that Postgres may take for each answer while a caller of the API waits: at most 29 in all."""

KEEPALIVE: Final = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 35_000}
"""Seconds, a number and milliseconds after which a server that answers no packets is given up: as long as it
waits for us (app_role_create in sql/schema.sql). How long a statement takes is another matter.
"""

__all__ = ["Connection", "Database", "Sink", "Transaction", "literal"]


class Sink(Protocol):
    """Takes what COPY TO STDOUT sends. One that raises ends the connection."""

    def write(self, data: bytes, rows: int, /) -> object:
        """Takes some whole rows, a header line among them."""
        ...


@contextmanager
def _faults() -> Iterator[None]:
    """Turns the driver's errors into DatabaseFault; the originals are dropped, since their text may hold a
    row.
    """
    try:
        yield
    except DatabaseError as error:
        answer = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        subject = answer.get("n") or answer.get("t") or answer.get("R") or ""
        raise DatabaseFault(answer.get("C"), subject) from None
    except (InterfaceError, OSError):
        raise DatabaseFault(None) from None


def _token(settings: DatabaseSettings) -> str:
    # Only who logs in so loads botocore for it.
    from leads.postgres.iam_token import iam_token

    return iam_token(settings.host, settings.port, settings.user)


def _keep_alive(connected: socket.socket) -> None:
    # pg8000 has turned probes on, of which the first comes after two hours. Other systems have other names.
    if sys.platform == "linux":
        for name, value in KEEPALIVE.items():
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Connection:
    """One connection, in autocommit until a `transaction` begins. Use it as a context manager, which closes
    it.
    """

    def __init__(self, settings: DatabaseSettings, application: str, *, timeout: float | None = None) -> None:
        """`timeout`, in seconds, bounds the wait for a connection and for each answer; None is
        CONNECT_TIMEOUT for the one and no bound for the others. Raises DatabaseFault.
        """
        with _faults():
            self._pg = Pg8000Connection(
                settings.user,
                host=settings.host,
                port=settings.port,
                database=settings.name,
                password=settings.password if settings.password is not None else _token(settings),
                ssl_context=tls_context() if settings.tls else False,
                timeout=timeout or CONNECT_TIMEOUT,
                application_name=application,
            )
            self._pg._usock.settimeout(timeout)
            # Else a message that goes out in two pieces waits for the server to acknowledge the first one, up
            # to 40 ms at each COPY (Nagle's algorithm, RFC 896). libpq turns it off, too; pg8000 does not.
            self._pg._usock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _keep_alive(self._pg._usock)
            # Nothing is on its way yet that the stream before it might hold.
            self._pg._sock = self._pg._usock.makefile(mode="rwb", buffering=READ_BUFFER)
            self._pg.message_types[COPY_OUT_RESPONSE] = self._begin_rows
            self._pg.message_types[COPY_DATA] = self._go_on_with_rows
        self._prepared: dict[str, PreparedStatement] = {}
        self._closed = False

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the session, and with it a transaction and the locks it holds. Closing a dead one is no
        error.
        """
        self._closed = True
        stream = self._pg._sock
        with suppress(DatabaseError, InterfaceError, OSError):
            self._pg.close()
        # A socket is open as long as a stream of it is, and the traceback of what a sink raised may hold it:
        # until then the server would keep the session, and the locks with it.
        with suppress(AttributeError, OSError, ValueError):
            stream.close()

    def query(self, sql: str, **parameters: object) -> list[Sequence[object]]:
        """Runs a statement with `:name` parameters and gives its rows. Raises DatabaseFault."""
        with _faults():
            return cast(list[Sequence[object]], self._pg.run(sql, **parameters) or [])

    def query_prepared(self, sql: str, **parameters: object) -> list[Sequence[object]]:
        """Like `rows`, for a statement that the connection runs often: it is prepared the first time, for as
        long as the connection lives, and then waits for the server once instead of three times.

        After five runs the server may take one plan for all values, unless plan_cache_mode forbids it
        (PostgreSQL, PREPARE). A table that it names may be made anew between runs. Raises DatabaseFault.
        """
        with _faults():
            if sql not in self._prepared:
                self._prepared[sql] = self._pg.prepare(sql)
            return cast(list[Sequence[object]], self._prepared[sql].run(**parameters) or [])

    def query_dicts(self, sql: str, **parameters: object) -> list[dict[str, object]]:
        """The rows of a statement as dicts by column name. Raises DatabaseFault."""
        rows = self.query(sql, **parameters)
        names = [column["name"] for column in self._pg.columns or ()]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def query_value(self, sql: str, **parameters: object) -> object:
        """The first value of the first row, or None when there is no row. Raises DatabaseFault."""
        rows = self.query(sql, **parameters)
        return rows[0][0] if rows else None

    def execute(self, sql: str) -> None:
        """Runs several statements without parameters. Raises DatabaseFault."""
        with _faults():
            self._pg.run(sql)

    def copy_in(self, sql: str, blocks: Iterable[bytes]) -> None:
        """COPY … FROM STDIN. Each block is one message and one flush, so hand over large ones. Raises
        DatabaseFault.
        """
        with _faults():
            self._pg.run(sql, stream=blocks)

    def copy_out(self, sql: str, sink: Sink) -> int:
        """COPY … TO STDOUT into the sink, many rows at once; gives their number.

        COPY takes no parameters: use `literal`. Raises DatabaseFault, and whatever the sink raises, after
        which the connection is closed.
        """
        try:
            with _faults():
                self._pg.run(sql, stream=sink)
                return cast(int, self._pg.row_count)
        except DatabaseFault:
            raise
        except BaseException:
            # The sink's: rows that nobody reads are still on their way, so no other statement can follow.
            self.close()
            raise

    def _begin_rows(self, data: bytes, context: Context) -> None:
        """Instead of the driver's own way with COPY TO STDOUT, a call for each row."""
        self._pg.handle_COPY_OUT_RESPONSE(data, context)
        read_copy_data(self._pg._sock, context.stream.write)

    def _go_on_with_rows(self, data: bytes, context: Context) -> None:
        """The row after another message, such as a notice, of which the driver has read that it is one."""
        context.stream.write(data, 1)
        read_copy_data(self._pg._sock, context.stream.write)

    @contextmanager
    def transaction(self, org_id: str | None = None) -> Iterator["Transaction"]:
        """A READ COMMITTED transaction in which row-level security shows the rows of `org_id`, or none.

        It is rolled back unless `commit` was called. Raises DatabaseFault.
        """
        setting = f"; SELECT set_config('app.org_id', {literal(org_id)}, true)" if org_id is not None else ""
        self.execute(f"START TRANSACTION{setting}")
        transaction = Transaction(self)
        try:
            yield transaction
        finally:
            if not transaction.committed and not self._closed:
                # A connection that died has rolled back by itself.
                with suppress(DatabaseFault):
                    self.execute("ROLLBACK")


class Transaction:
    """What a `transaction` block commits by."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.committed = False

    def limit_statements(self, seconds: float) -> None:
        """Lets each further statement of the transaction take so long, then it fails (STATEMENT_TIMEOUT)."""
        self._connection.execute(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")

    def set_idle_timeout(self, seconds: float) -> None:
        """Lets the transaction wait for its next statement so long: the role's own limit is 55 s. Who needs
        it must be killed or die with his machine otherwise, which the server notices by the connection.
        """
        self._connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = {int(seconds * 1000)}")

    def commit(self) -> None:
        """Keeps what the block did. Raises DatabaseFault: then it is unknown whether it was kept."""
        self._connection.execute("COMMIT")
        self.committed = True


class Database:
    """Where connections come from. One invocation opens what it needs and closes it: none idles in a warm
    Lambda.
    """

    def __init__(self, settings: DatabaseSettings, application: str) -> None:
        self._settings = settings
        self._application = application

    def connect(self, *, timeout: float | None = None) -> Connection:
        """A new connection. Raises DatabaseFault when the server cannot be reached or refuses."""
        return Connection(self._settings, self._application, timeout=timeout)
