"""Read the deployment from template.yaml: functions, their events, the bucket and the queues.

It understands the part of SAM that the template uses. It refuses everything else instead of guessing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.template.document import TemplateError, read_document
from local.template.resolver import Resolver

_UNIT_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
_RATE = re.compile(rf"rate\(([1-9][0-9]*) ({'|'.join(_UNIT_SECONDS)})(s?)\)", re.ASCII)
"""A rate expression (EventBridge user guide): a number, and a unit that agrees with it."""


@dataclass(frozen=True)
class Route:
    """A route of the HTTP API. A whole segment of its path may be a parameter such as `{id}`."""

    method: str
    path: str
    authorized: bool = True

    @property
    def key(self) -> str:
        """The route key, as in `GET /items/{id}`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Trigger:
    """The events of the bucket that invoke a function: types such as `s3:ObjectCreated:*`, and keys."""

    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    def matches(self, event_name: str, key: str) -> bool:
        """Return whether it covers an event (`ObjectCreated:Put`, as in records) of this decoded key."""
        named = any(
            (event.endswith("*") and f"s3:{event_name}".startswith(event[:-1])) or event == f"s3:{event_name}"
            for event in self.events
        )
        return named and key.startswith(self.prefix) and key.endswith(self.suffix)


@dataclass(frozen=True)
class Function:
    """A Lambda function. Its timeout and the intervals of its schedules are seconds, its memory is MB."""

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
    """The functions of a deployment, the name of its bucket and the names of its queues."""

    functions: tuple[Function, ...]
    bucket: str | None
    queues: tuple[str, ...]

    def function(self, logical_id: str) -> Function | None:
        """Return the function of this logical id, if there is one."""
        return next((one for one in self.functions if one.logical_id == logical_id), None)


def load_template(path: Path, parameters: Mapping[str, str], *, stack_name: str) -> Template:
    """Read a template with these values for its parameters, or with their defaults.

    Raises:
        TemplateError: The laptop cannot follow something, or a parameter has no value.
    """
    return _Reader(read_document(path), parameters, stack_name, path.parent).template()


def _refuse(name: str) -> str:
    raise TemplateError(f"the laptop has no value for {name}: a parameter without one, or only AWS knows it")


class _Reader:
    def __init__(
        self, document: Mapping[str, Any], parameters: Mapping[str, str], stack_name: str, base: Path
    ) -> None:
        self._resolver = Resolver(document, parameters, stack_name, _refuse)
        self._resources = self._resolver.existing()
        self._globals: dict[str, Any] = document.get("Globals", {}).get("Function", {})
        self._base = base

    def template(self) -> Template:
        buckets = self._names("AWS::S3::Bucket")
        if len(buckets) > 1:
            raise TemplateError(f"the laptop serves one bucket, the template has {len(buckets)}")
        return Template(
            functions=tuple(map(self._function, self._of_type("AWS::Serverless::Function"))),
            bucket=buckets[0] if buckets else None,
            queues=self._names("AWS::SQS::Queue"),
        )

    def _of_type(self, kind: str) -> list[str]:
        return [one for one, resource in self._resources.items() if resource["Type"] == kind]

    def _names(self, kind: str) -> tuple[str, ...]:
        return tuple(map(self._resolver.name, self._of_type(kind)))

    def _function(self, logical_id: str) -> Function:
        text = self._resolver.text
        own: dict[str, Any] = self._resources[logical_id]["Properties"]
        properties = self._globals | own
        variables = _variables(self._globals) | _variables(own)
        events = self._events(logical_id, own)
        retries = int(properties.get("EventInvokeConfig", {}).get("MaximumRetryAttempts", 2))
        if events["Schedule"] and retries:
            raise TemplateError(
                f"the laptop does not retry scheduled events: {logical_id} must have 0 retries"
            )
        return Function(
            logical_id=logical_id,
            name=self._resolver.name(logical_id),
            runtime=text(properties["Runtime"]),
            code=self._directory(properties["CodeUri"]),
            handler=text(properties["Handler"]),
            timeout=int(text(properties.get("Timeout", 3))),
            memory=int(text(properties.get("MemorySize", 128))),
            environment={name: text(value) for name, value in variables.items()},
            layers=tuple(map(self._layer, [*self._globals.get("Layers", []), *own.get("Layers", [])])),
            routes=tuple(map(self._route, events["HttpApi"])),
            triggers=tuple(map(self._trigger, events["S3"])),
            schedules=tuple(map(self._schedule, events["Schedule"])),
            retries=retries,
            dead_letters=self._dead_letters(properties.get("DeadLetterQueue")),
        )

    def _events(self, logical_id: str, own: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """Return the properties of a function's events, by their type."""
        found: dict[str, list[dict[str, Any]]] = {"HttpApi": [], "S3": [], "Schedule": []}
        for event in (own.get("Events") or {}).values():
            if event["Type"] not in found:
                raise TemplateError(f"the laptop has no events of type {event['Type']} ({logical_id})")
            found[event["Type"]].append(event["Properties"])
        return found

    def _directory(self, uri: Any) -> Path:
        return (self._base / self._resolver.text(uri)).resolve()

    def _layer(self, value: Any) -> Path:
        layer = self._resources.get(value.get("Ref", ""), {}) if isinstance(value, dict) else {}
        if layer.get("Type") != "AWS::Serverless::LayerVersion":
            raise TemplateError(f"the laptop has no layer {value!r}")
        return self._directory(layer["Properties"]["ContentUri"])

    def _route(self, properties: Mapping[str, Any]) -> Route:
        route = Route(
            method=self._resolver.text(properties["Method"]).upper(),
            path=self._resolver.text(properties["Path"]),
            authorized=properties.get("Auth", {}).get("Authorizer") != "NONE",
        )
        if route.method == "ANY" or "+}" in route.path or "$default" in route.path:
            raise TemplateError(f"the laptop's gateway does not know routes like {route.key!r}")
        return route

    def _trigger(self, properties: Mapping[str, Any]) -> Trigger:
        events = properties["Events"]
        rules = self._resolver.resolve(properties.get("Filter", {}).get("S3Key", {}).get("Rules", []))
        affixes = {rule["Name"].lower(): rule["Value"] for rule in rules}
        return Trigger(
            events=(events,) if isinstance(events, str) else tuple(events),
            prefix=affixes.get("prefix", ""),
            suffix=affixes.get("suffix", ""),
        )

    def _schedule(self, properties: Mapping[str, Any]) -> float:
        """Return the seconds between two events."""
        if unknown := properties.keys() - {"Schedule", "Description"}:
            raise TemplateError(f"the laptop does not know a schedule's {', '.join(sorted(unknown))}")
        expression = self._resolver.text(properties["Schedule"])
        rate = _RATE.fullmatch(expression)
        # EventBridge refuses `1 minutes` and `2 minute`.
        if rate is None or (rate[1] == "1") is (rate[3] == "s"):
            raise TemplateError(f"the laptop knows schedules like rate(5 minutes), not {expression!r}")
        return float(rate[1]) * _UNIT_SECONDS[rate[2]]

    def _dead_letters(self, queue: Mapping[str, Any] | None) -> str | None:
        if queue is None:
            return None
        if queue["Type"] != "SQS":
            raise TemplateError(f"the laptop has no dead-letter queue of type {queue['Type']}")
        return self._resolver.text(queue["TargetArn"]).rsplit(":", 1)[-1]


def _variables(properties: Mapping[str, Any]) -> dict[str, Any]:
    return dict((properties.get("Environment") or {}).get("Variables") or {})
