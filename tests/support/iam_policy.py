"""Whether a policy allows an action on a resource, as IAM decides it.

It knows what our policies use and refuses the rest, rather than guess. Source: IAM user guide, "Policy
evaluation logic", "IAM JSON policy elements: Condition operators" and "Variables and tags".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_KNOWN: Final = {"Sid", "Effect", "Action", "Resource", "Condition"}

Statements = Sequence[Mapping[str, Any]]
Context = Mapping[str, str]
"""What IAM knows of a request: condition keys and their values."""


class UnknownPolicy(Exception):
    """The policy says something that this evaluator does not know."""


def allows(statements: Statements, action: str, resource: str, context: Context | None = None) -> bool:
    """Whether a statement allows it and none denies it. Raises UnknownPolicy."""
    known = context or {}
    effects = {
        statement["Effect"] for statement in statements if _applies(statement, action, resource, known)
    }
    return effects == {"Allow"}


def grants(statements: Statements) -> Iterator[tuple[str, str]]:
    """Each action that is allowed, with each pattern of resources that it is allowed on."""
    for statement in statements:
        _refuse_unknown(statement)
        if statement["Effect"] == "Allow":
            for action in _several(statement["Action"]):
                for resource in _several(statement["Resource"]):
                    yield action, resource


def matches(pattern: str, text: str, context: Context | None = None) -> bool:
    """Tell whether a pattern with `*`, `?` and variables matches the text.

    A variable without a value matches nothing.
    """
    expression = ""
    for variable, other in re.findall(r"\$\{([^}]*)\}|(.)", pattern, re.DOTALL):
        if variable:
            if variable not in (context or {}):
                return False
            expression += re.escape((context or {})[variable])
        else:
            expression += {"*": ".*", "?": "."}.get(other, re.escape(other))
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    _refuse_unknown(statement)
    return (
        any(matches(one.lower(), action.lower()) for one in _several(statement["Action"]))
        and any(matches(one, resource, context) for one in _several(statement["Resource"]))
        and all(
            _holds(operator, key, _several(wanted), context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    value = context.get(key)
    match operator:
        case "Null":
            return any((value is None) == (one == "true") for one in wanted)
        case "StringEquals":
            return value in wanted
        case "StringLike":
            return value is not None and any(matches(one, value, context) for one in wanted)
        case "StringNotLike":
            return value is None or not any(matches(one, value, context) for one in wanted)
    raise UnknownPolicy(f"the condition operator {operator}")


def _refuse_unknown(statement: Mapping[str, Any]) -> None:
    if unknown := statement.keys() - _KNOWN:
        raise UnknownPolicy(f"{sorted(unknown)} in a statement")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise UnknownPolicy(f"the effect {statement['Effect']}")


def _several(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
