"""What the laptop knows of the deployment: functions and what invokes them, the bucket, the queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.state import LaptopError


class TemplateError(LaptopError):
    """The template says something that the laptop cannot follow; the message names the place."""


@dataclass(frozen=True)
class Route:
    """A route of the HTTP API: `path` may hold whole segments like `{id}`."""

    method: str
    path: str
    authorized: bool = True

    @property
    def key(self) -> str:
        """The route key, as in `GET /items/{id}`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Trigger:
    """What of a bucket invokes a function: event types such as `s3:ObjectCreated:*`, and the key's ends."""

    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    def matches(self, event_name: str, key: str) -> bool:
        """Whether this event (`ObjectCreated:Put`, as records have it) of this decoded key is meant."""
        named = any(
            event.endswith("*") and f"s3:{event_name}".startswith(event[:-1]) or event == f"s3:{event_name}"
            for event in self.events
        )
        return named and key.startswith(self.prefix) and key.endswith(self.suffix)


@dataclass(frozen=True)
class Function:
    """A Lambda function: `timeout` in seconds, `memory` in MB, `layers` directories of packages, `schedules`
    the seconds between two events of each.
    """

    logical_id: str
    name: str
    runtime: str
    code: Path
    handler: str
    timeout: int
    memory: int
    environment: Mapping[str, str]
    layers: tuple[Path, ...] = ()
    routes: tuple[Route, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    schedules: tuple[float, ...] = ()
    retries: int = 2
    dead_letters: str | None = None


@dataclass(frozen=True)
class Template:
    """The deployment. `bucket` is the bucket's name; `queues` the names of the SQS queues."""

    functions: tuple[Function, ...]
    bucket: str | None
    queues: tuple[str, ...]

    def function(self, logical_id: str) -> Function | None:
        """The function of this logical id, if there is one."""
        return next((one for one in self.functions if one.logical_id == logical_id), None)
