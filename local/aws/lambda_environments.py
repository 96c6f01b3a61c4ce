"""Invoke the Lambda functions of a stack, each in as many execution environments as it needs at once.

A warm environment serves again. A busy one is joined by another. One that has ended is replaced.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType

from local.aws.lambda_environment import LambdaEnvironment
from local.aws.runtime_api import Outcome, failure
from local.template.deployment import Function

CONCURRENCY = 10
"""The environments of a function, beyond which invocations wait.

Fewer make concurrent requests wait; more overload a laptop.
"""


class LambdaEnvironments:
    """Make the environments of all functions when they are needed, until `close`."""

    def __init__(self, functions: Iterable[Function], logs: Path, variables: Mapping[str, str]) -> None:
        """Write a file per function into `logs`. Every function gets `variables` in addition to its own."""
        logs.mkdir(parents=True, exist_ok=True)
        self._pools = {
            one.logical_id: _Pool(one, logs / f"{one.code.name}.log", variables) for one in functions
        }

    def invoke(self, logical_id: str, payload: bytes) -> Outcome:
        """Invoke a function with a JSON event, and wait for its outcome until its timeout."""
        return self._pools[logical_id].invoke(payload)

    def warm(self, logical_id: str) -> None:
        """Start an environment in the background if the function has none."""
        self._pools[logical_id].warm()

    def cool(self, logical_id: str) -> None:
        """Kill the function's idle environments, as Lambda does some time after the last invocation."""
        self._pools[logical_id].cool()

    def close(self) -> None:
        """Kill every process. Running invocations fail."""
        for pool in self._pools.values():
            pool.close()

    def __enter__(self) -> LambdaEnvironments:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Pool:
    def __init__(self, function: Function, log: Path, variables: Mapping[str, str]) -> None:
        self._make: Callable[[], LambdaEnvironment] = lambda: LambdaEnvironment(function, log, variables)
        self._free = threading.Condition()
        self._all: set[LambdaEnvironment] = set()
        self._idle: list[LambdaEnvironment] = []
        self._closed = False

    def invoke(self, payload: bytes) -> Outcome:
        environment = self._take()
        if environment is None:
            return failure("Sandbox.Stopped", "the local stack is stopping")
        try:
            return environment.invoke(payload)
        finally:
            self._put_back(environment)

    def warm(self) -> None:
        with self._free:
            if not self._all and not self._closed:
                self._idle.append(self._start())

    def cool(self) -> None:
        with self._free:
            idle, self._idle = self._idle, []
            self._all.difference_update(idle)
        for environment in idle:
            environment.kill()

    def close(self) -> None:
        with self._free:
            self._closed = True
            environments, self._all, self._idle = self._all, set(), []
            self._free.notify_all()
        for environment in environments:
            environment.kill()

    def _take(self) -> LambdaEnvironment | None:
        with self._free:
            while not self._closed:
                while self._idle:
                    environment = self._idle.pop()
                    if environment.alive:
                        return environment
                    self._all.discard(environment)
                if len(self._all) < CONCURRENCY:
                    return self._start()
                self._free.wait()
        return None

    def _start(self) -> LambdaEnvironment:
        environment = self._make()
        self._all.add(environment)
        return environment

    def _put_back(self, environment: LambdaEnvironment) -> None:
        with self._free:
            if environment.alive and not self._closed:
                self._idle.append(environment)
            else:
                self._all.discard(environment)
            self._free.notify()
