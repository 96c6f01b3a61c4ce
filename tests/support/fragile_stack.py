"""Run the whole service in real processes, each of which can be broken.

A run can be held at a message and killed, Postgres stopped hard, and all packets dropped.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from leads.postgres.connection import Connection
from leads.settings import DatabaseSettings
from local.postgres.embedded import DATABASE
from local.stack import STACK_NAME, Deployment, Stack
from tests.support.tcp_proxy import TcpProxy

RETRY_SECONDS = (1.0, 10.0)
"""The second retry leaves time to start Postgres again."""


class FragileStack(Stack):
    """A stack whose functions reach Postgres through a proxy."""

    def __init__(self, directory: Path, *, retry_seconds: Sequence[float] = RETRY_SECONDS) -> None:
        super().__init__(directory, throw_away=True, deployment=Deployment(retry_seconds=retry_seconds))
        # What was committed survives a hard stop, as it does in a deployment.
        self.postgres._settings["synchronous_commit"] = "on"
        self.proxy = TcpProxy(lambda: (self.postgres.host, self.postgres.port))
        self._proxied = ExitStack()

    def start(self) -> None:
        self._proxied.enter_context(self.proxy)
        super().start()

    def stop(self) -> None:
        super().stop()
        self._proxied.close()

    def _parameters(self) -> dict[str, str]:
        return super()._parameters() | {"DatabasePort": str(self.proxy.port)}

    def stop_postgres_hard(self) -> None:
        """An immediate shutdown: every session ends as it stands, and the next start recovers."""
        process = self.postgres._process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(30)

    def start_postgres_again(self) -> None:
        """Where it was."""
        self.postgres.stop()
        self.postgres.start()

    def kill(self, function: str) -> int:
        """Kills every process of a function and gives their number."""
        killed = 0
        wanted = {f"AWS_LAMBDA_FUNCTION_NAME={STACK_NAME}-{function}", f"DATABASE_PORT={self.proxy.port}"}
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
                environment = (directory / "environ").read_text().split("\0")
            except OSError:
                continue  # It has ended meanwhile.
            if parent == os.getpid() and wanted <= set(environment):
                os.kill(int(directory.name), signal.SIGKILL)
                killed += 1
        return killed

    def owner(self) -> Connection:
        """A connection past the proxy that sees every organisation."""
        return self._direct("leads_owner", self.postgres.owner_password)

    def superuser(self) -> Connection:
        """A connection past the proxy of whom a deployment does not have."""
        return self._direct("postgres", self.postgres._passwords["postgres"])

    def _direct(self, user: str, password: str) -> Connection:
        host, port = self.postgres.host, self.postgres.port
        settings = DatabaseSettings(
            host=host, port=port, name=DATABASE, user=user, password=password, tls=False
        )
        return Connection(settings, "test")
