"""Reads template.yaml: what the laptop needs to know of the deployment, with every reference resolved.

It understands the part of SAM that the template uses and refuses what it does not know, rather than guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from local.aws.s3 import ACCOUNT_ID, REGION
from local.template.conditions import Conditions
from local.template.deployment import Function, Route, Template, TemplateError, Trigger

_UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
_RATE = re.compile(rf"rate\(([1-9][0-9]*) ({'|'.join(_UNITS)})(s?)\)", re.ASCII)
"""A rate expression (EventBridge user guide): a number, and a unit that agrees with it."""


def load_template(path: Path, parameters: Mapping[str, str], *, stack_name: str) -> Template:
    """Read a template as CloudFormation does, with these values for its parameters, or their defaults.

    Raises TemplateError for what it cannot follow, a parameter without a value included.
    """
    reader = _Reader(read_document(path), dict(parameters), stack_name, path.parent)
    functions = tuple(reader.function(one) for one in reader.of_type("AWS::Serverless::Function"))
    buckets = [reader.physical_id(one) for one in reader.of_type("AWS::S3::Bucket")]
    if len(buckets) > 1:
        raise TemplateError(f"the laptop serves one bucket, the template has {len(buckets)}")
    queues = tuple(reader.physical_id(one) for one in reader.of_type("AWS::SQS::Queue"))
    return Template(functions, buckets[0] if buckets else None, queues)


def read_document(path: Path) -> dict[str, Any]:
    """A template as it is written, its references unresolved: `!Ref X` is {"Ref": "X"}."""
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 (a SafeLoader)
    return document


def parameter_default(path: Path, name: str) -> str:
    """The default of a parameter of the template. Raises TemplateError when it has none."""
    try:
        return str(read_document(path)["Parameters"][name]["Default"])
    except KeyError:
        raise TemplateError(f"the template's parameter {name} has no default") from None


class _Loader(yaml.CSafeLoader):
    """YAML with its tags: `!Ref X` becomes {"Ref": "X"}, `!Sub X` {"Fn::Sub": "X"}. In C, which is
    ten times as fast as Python.
    """


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        if not isinstance(node, yaml.MappingNode):
            raise TemplateError(f"a tag on what is no value: {node}")
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)


class _Reader:
    def __init__(self, document: Any, parameters: dict[str, str], stack_name: str, base: Path) -> None:
        self._conditions = Conditions(document.get("Conditions", {}), self.text)
        self._globals: dict[str, Any] = document.get("Globals", {}).get("Function", {})
        self._base = base
        self._stack_name = stack_name
        self._values = {
            name: str(declared["Default"])
            for name, declared in document.get("Parameters", {}).items()
            if "Default" in declared
        } | {
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": stack_name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._values |= parameters
        self._resources: dict[str, Any] = {
            name: resource
            for name, resource in document.get("Resources", {}).items()
            if "Condition" not in resource or self._conditions.hold(resource["Condition"])
        }

    def of_type(self, kind: str) -> list[str]:
        return [one for one, resource in self._resources.items() if resource["Type"] == kind]

    def function(self, logical_id: str) -> Function:
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
            name=self.physical_id(logical_id),
            runtime=self.text(properties["Runtime"]),
            code=(self._base / self.text(properties["CodeUri"])).resolve(),
            handler=self.text(properties["Handler"]),
            timeout=int(self.text(properties.get("Timeout", 3))),
            memory=int(self.text(properties.get("MemorySize", 128))),
            environment={name: self.text(value) for name, value in variables.items()},
            layers=tuple(
                self._layer(one) for one in [*self._globals.get("Layers", []), *own.get("Layers", [])]
            ),
            routes=tuple(map(self._route, events["HttpApi"])),
            triggers=tuple(map(self._trigger, events["S3"])),
            schedules=tuple(map(self._schedule, events["Schedule"])),
            retries=retries,
            dead_letters=self._dead_letters(properties.get("DeadLetterQueue")),
        )

    def _events(self, logical_id: str, own: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """The properties of a function's events, by their type."""
        found: dict[str, list[dict[str, Any]]] = {"HttpApi": [], "S3": [], "Schedule": []}
        for event in (own.get("Events") or {}).values():
            if event["Type"] not in found:
                raise TemplateError(f"the laptop has no events of type {event['Type']} ({logical_id})")
            found[event["Type"]].append(event["Properties"])
        return found

    def physical_id(self, logical_id: str) -> str:
        resource = self._resources[logical_id]
        named = {"AWS::S3::Bucket": "BucketName", "AWS::SQS::Queue": "QueueName"}.get(
            resource["Type"], "FunctionName"
        )
        if name := resource.get("Properties", {}).get(named):
            return self.text(name)
        return f"{self._stack_name}-{logical_id}"

    def text(self, value: Any) -> str:
        """The text that a value of the template stands for."""
        match value:
            case {"Ref": str(name)}:
                return self._reference(name)
            case {"Fn::GetAtt": str(name)}:
                return self._attribute(*name.split(".", 1))
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::Sub": str(pattern)}:
                return self._substitute(pattern, {})
            case {"Fn::Sub": [str(pattern), dict(local)]}:
                return self._substitute(pattern, local)
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self.text(then if self._conditions.hold(condition) else otherwise)
            case bool():
                return str(value).lower()
            case str() | int() | float():
                return str(value)
        raise TemplateError(f"the laptop does not know what to make of {value!r}")

    def _reference(self, name: str) -> str:
        if name in self._values:
            return self._values[name]
        kind = self._resources.get(name, {}).get("Type")
        if kind in ("AWS::S3::Bucket", "AWS::Serverless::Function"):
            return self.physical_id(name)
        raise TemplateError(
            f"no value for {name}: a parameter without one, or a resource the laptop does not have"
        )

    def _attribute(self, name: str, attribute: str = "") -> str:
        kind = self._resources.get(name, {}).get("Type")
        services = {
            "AWS::SQS::Queue": f"sqs:{REGION}:{ACCOUNT_ID}:",
            "AWS::S3::Bucket": "s3:::",
            "AWS::Serverless::Function": f"lambda:{REGION}:{ACCOUNT_ID}:function:",
        }
        if attribute != "Arn" or kind not in services:
            raise TemplateError(f"the laptop has no {name}.{attribute}")
        return f"arn:aws:{services[kind]}{self.physical_id(name)}"

    def _substitute(self, pattern: str, local: Mapping[str, Any]) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in local:
                return self.text(local[name])
            return self._attribute(*name.split(".", 1)) if "." in name else self._reference(name)

        return re.sub(r"\$\{([^}]+)\}", value, pattern)

    def _layer(self, value: Any) -> Path:
        layer = self._resources.get(value.get("Ref", ""), {}) if isinstance(value, dict) else {}
        if layer.get("Type") != "AWS::Serverless::LayerVersion":
            raise TemplateError(f"the laptop has no layer {value!r}")
        return (self._base / self.text(layer["Properties"]["ContentUri"])).resolve()

    def _route(self, properties: dict[str, Any]) -> Route:
        route = Route(
            method=self.text(properties["Method"]).upper(),
            path=self.text(properties["Path"]),
            authorized=properties.get("Auth", {}).get("Authorizer") != "NONE",
        )
        if route.method == "ANY" or "+}" in route.path or "$default" in route.path:
            raise TemplateError(f"the laptop's front does not know routes like {route.key!r}")
        return route

    def _trigger(self, properties: dict[str, Any]) -> Trigger:
        events = properties["Events"]
        rules = properties.get("Filter", {}).get("S3Key", {}).get("Rules", [])
        ends = {self.text(rule["Name"]).lower(): self.text(rule["Value"]) for rule in rules}
        return Trigger(
            events=(events,) if isinstance(events, str) else tuple(events),
            prefix=ends.get("prefix", ""),
            suffix=ends.get("suffix", ""),
        )

    def _schedule(self, properties: dict[str, Any]) -> float:
        """The seconds between two events."""
        if unknown := properties.keys() - {"Schedule", "Description"}:
            raise TemplateError(f"the laptop does not know what to make of a schedule's {sorted(unknown)}")
        expression = self.text(properties["Schedule"])
        rate = _RATE.fullmatch(expression)
        # EventBridge refuses `1 minutes` and `2 minute`.
        if rate is None or (rate[1] == "1") is (rate[3] == "s"):
            raise TemplateError(f"the laptop knows schedules like rate(5 minutes), not {expression!r}")
        return float(rate[1]) * _UNITS[rate[2]]

    def _dead_letters(self, queue: dict[str, Any] | None) -> str | None:
        if queue is None:
            return None
        if queue["Type"] != "SQS":
            raise TemplateError(f"the laptop has no dead-letter queue of type {queue['Type']}")
        return self.text(queue["TargetArn"]).rsplit(":", 1)[-1]


def _variables(properties: Mapping[str, Any]) -> dict[str, Any]:
    return dict((properties.get("Environment") or {}).get("Variables") or {})
