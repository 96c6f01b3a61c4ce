"""The conditions of a CloudFormation template: whether each is true.

It knows Equals, Not, And, Or and Condition (CloudFormation user guide, "Condition functions"), which is all
there is for a template's Conditions, and of what its Rules may ask besides EachMemberEquals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local.template.deployment import TemplateError


class Conditions:
    """The Conditions of one template, with its parameters put in."""

    def __init__(self, conditions: Mapping[str, Any], value: Callable[[Any], object]) -> None:
        """`value` resolves what stands in an Equals."""
        self._conditions = conditions
        self._value = value

    def hold(self, condition: Any) -> bool:
        """Whether a condition, or the one of this name, is true. Raises TemplateError."""
        match condition:
            case str(name) | {"Condition": str(name)}:
                if name not in self._conditions:
                    raise TemplateError(f"the template has no condition {name}")
                return self.hold(self._conditions[name])
            case {"Fn::Equals": [one, other]}:
                return bool(self._value(one) == self._value(other))
            case {"Fn::EachMemberEquals": [several, one]}:
                return all(member == self._value(one) for member in str(self._value(several)).split(","))
            case {"Fn::Not": [one]}:
                return not self.hold(one)
            case {"Fn::And": list(several)}:
                return all(map(self.hold, several))
            case {"Fn::Or": list(several)}:
                return any(map(self.hold, several))
        raise TemplateError(f"no condition: {condition!r}")
