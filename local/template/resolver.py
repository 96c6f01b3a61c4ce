"""Resolve the references and conditions of a template, as CloudFormation does in a deployment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from local.aws.s3 import ACCOUNT_ID, REGION
from local.template.document import TemplateError

_NAME_PROPERTIES: Final = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::SQS::Queue": "QueueName",
}
_ARNS: Final = {
    "AWS::S3::Bucket": "s3:::",
    "AWS::Serverless::Function": f"lambda:{REGION}:{ACCOUNT_ID}:function:",
    "AWS::SQS::Queue": f"sqs:{REGION}:{ACCOUNT_ID}:",
}
_REFERRED_BY_NAME: Final = ("AWS::S3::Bucket", "AWS::Serverless::Function")
"""The types of which a Ref is the name. A queue's is its URL, which only AWS knows."""

_NO_VALUE: Final = object()
"""The value of AWS::NoValue, which removes the property or the member that has it."""


class Resolver:
    """The values of one template under some parameters.

    An intrinsic function that this template does not use stays as it is written.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        parameters: Mapping[str, str],
        stack_name: str,
        unknown: Callable[[str], str],
    ) -> None:
        """`unknown` answers for values that only AWS knows: `Parameter`, `Resource`, `Resource.Attribute`."""
        self._document = document
        self._resources: Mapping[str, Any] = document.get("Resources", {})
        self._stack_name = stack_name
        self._unknown = unknown
        declared: Mapping[str, Any] = document.get("Parameters", {})
        self._values: dict[str, object] = {
            **{name: str(one["Default"]) for name, one in declared.items() if "Default" in one},
            **parameters,
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::NoValue": _NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{stack_name}/0a1b",
            "AWS::StackName": stack_name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }

    def existing(self, section: str = "Resources") -> dict[str, Any]:
        """Return the members of a section that have no condition, or a true one."""
        members: Mapping[str, Any] = self._document.get(section, {})
        return {
            name: one
            for name, one in members.items()
            if "Condition" not in one or self.holds(one["Condition"])
        }

    def name(self, logical_id: str) -> str:
        """Return the name that a bucket, a function or a queue gets."""
        resource = self._resource(logical_id)
        named = resource.get("Properties", {}).get(_NAME_PROPERTIES[resource["Type"]])
        return self.text(named) if named else f"{self._stack_name}-{logical_id}"

    def text(self, value: Any) -> str:
        """Resolve a value that must be a text, a number or a boolean. Raise TemplateError for another."""
        resolved = self.resolve(value)
        match resolved:
            case bool():
                return str(resolved).lower()
            case str() | int() | float():
                return str(resolved)
        raise TemplateError(f"this is no text: {value!r}")

    def resolve(self, value: Any) -> Any:
        """Resolve all references in a value. Raise TemplateError for a resource that does not exist."""
        match value:
            case dict() if len(value) == 1 and (name := next(iter(value))) in self._functions:
                return self._functions[name](value[name])
            case dict():
                resolved = {name: self.resolve(one) for name, one in value.items()}
                return {name: one for name, one in resolved.items() if one is not _NO_VALUE}
            case list():
                return [one for one in map(self.resolve, value) if one is not _NO_VALUE]
        return value

    def holds(self, condition: Any) -> bool:
        """Return whether a condition, or the one of this name, is true. Raise TemplateError for none."""
        conditions: Mapping[str, Any] = self._document.get("Conditions", {})
        match condition:
            case str(name) | {"Condition": str(name)} if name in conditions:
                return self.holds(conditions[name])
            case {"Fn::Equals": [one, other]}:
                return self.text(one) == self.text(other)
            case {"Fn::EachMemberEquals": [members, one]}:
                return all(member == self.text(one) for member in self.text(members).split(","))
            case {"Fn::Not": [one]}:
                return not self.holds(one)
            case {"Fn::And": list(several)}:
                return all(map(self.holds, several))
            case {"Fn::Or": list(several)}:
                return any(map(self.holds, several))
        raise TemplateError(f"the template has no condition {condition!r}")

    def _resource(self, logical_id: str) -> Mapping[str, Any]:
        resource: Mapping[str, Any] | None = self._resources.get(logical_id)
        if resource is None:
            raise TemplateError(f"the template has no parameter or resource {logical_id}")
        if "Condition" in resource and not self.holds(resource["Condition"]):
            raise TemplateError(f"{logical_id} is referred to, but its condition is false")
        return resource

    def _ref(self, name: str) -> object:
        if name in self._values:
            return self._values[name]
        if name in self._document.get("Parameters", {}):
            return self._unknown(name)
        by_name = self._resource(name)["Type"] in _REFERRED_BY_NAME
        return self.name(name) if by_name else self._unknown(name)

    def _get_att(self, path: str | list[str]) -> str:
        name, attribute = path.split(".", 1) if isinstance(path, str) else path
        kind = self._resource(name)["Type"]
        if attribute == "Arn" and kind in _ARNS:
            return f"arn:aws:{_ARNS[kind]}{self.name(name)}"
        return self._unknown(f"{name}.{attribute}")

    def _sub(self, argument: str | list[Any]) -> str:
        pattern, own = (argument, {}) if isinstance(argument, str) else argument

        def replacement(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in own:
                return self.text(own[name])
            return self._get_att(name) if "." in name else self.text({"Ref": name})

        return re.sub(r"\$\{([^}]+)\}", replacement, pattern)

    def _join(self, argument: list[Any]) -> str:
        separator, parts = argument
        return str(separator).join(map(str, self.resolve(parts)))

    def _split(self, argument: list[Any]) -> list[str]:
        separator, whole = argument
        return self.text(whole).split(separator)

    def _select(self, argument: list[Any]) -> Any:
        index, parts = argument
        members = self.resolve(parts)
        # Only AWS knows the members of Fn::GetAZs and Fn::Cidr.
        return members[index] if isinstance(members, list) else {"Fn::Select": [index, members]}

    def _if(self, argument: list[Any]) -> Any:
        condition, then, otherwise = argument
        return self.resolve(then if self.holds(condition) else otherwise)
