"""template.yaml as CloudFormation sees it in a deployment: with parameters, conditions and references put in.

Unlike local.template.resolver it knows every resource and refuses nothing: what only AWS could tell is a text
in angle brackets. So a policy reads as IAM gets it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from local.aws.s3 import ACCOUNT_ID, REGION
from local.state import PROJECT
from local.template.conditions import Conditions
from local.template.resolver import load_template, read_document

STACK: Final = "leads-test"
CLUSTER: Final = "cluster-LEADSTEST"
"""The resource id of the database's cluster."""

PARAMETERS: Final[Mapping[str, str]] = {
    "JwtIssuer": "https://issuer.example",
    "JwtAudience": "leads",
    "DatabaseHost": "database.example",
    "DatabaseResourceId": CLUSTER,
    "DatabasePassword": "app-password-of-the-tests",
    "DatabaseOwnerPassword": "owner-password-of-the-tests",
    "SubnetIds": "subnet-1",
    "SecurityGroupIds": "sg-1",
}
"""What somebody who deploys is asked for."""

FUNCTIONS: Final = {
    one.code.name: one
    for one in load_template(PROJECT / "template.yaml", PARAMETERS, stack_name=STACK).functions
}
"""What the laptop runs of it, by the name of its folder."""

_NAMES: Final = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::SQS::Queue": "QueueName",
}
"""Under which property a resource is told its name."""

_NO_VALUE: Final = object()


def deployed(
    parameters: Mapping[str, str] = PARAMETERS, path: Path = PROJECT / "template.yaml"
) -> dict[str, Any]:
    """The template, resolved. What has a Condition that is false is left out."""
    document = read_document(path)
    reader = _Reader(document, parameters)
    there = {
        part: {
            name: one
            for name, one in document.get(part, {}).items()
            if "Condition" not in one or reader.conditions.hold(one["Condition"])
        }
        for part in ("Resources", "Outputs")
    }
    resolved: dict[str, Any] = reader.resolve({**document, **there, "Conditions": {}, "Rules": {}})
    return resolved


def broken_rules(parameters: Mapping[str, str], path: Path = PROJECT / "template.yaml") -> list[str]:
    """What CloudFormation says of these parameters before it makes anything."""
    document = read_document(path)
    reader = _Reader(document, parameters)
    return [
        assertion["AssertDescription"]
        for rule in document["Rules"].values()
        if reader.conditions.hold(rule["RuleCondition"])
        for assertion in rule["Assertions"]
        if not reader.conditions.hold(assertion["Assert"])
    ]


def of_type(template: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The properties of the resources of one type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def functions(template: Mapping[str, Any]) -> dict[str, str]:
    """The logical id of each function, by the name of its folder."""
    return {
        Path(properties["CodeUri"]).name: name
        for name, properties in of_type(template, "AWS::Serverless::Function").items()
    }


def policies(template: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The statements of each function's own policies, by the name of its folder. What SAM adds for a VPC, for
    X-Ray, for logs and for a dead-letter queue is not among them: no code of ours calls for that.
    """
    found = {}
    for folder, name in functions(template).items():
        properties = template["Resources"][name]["Properties"]
        assert "Role" not in properties, f"{name}: its policies are to be read here, so SAM makes its role"
        written = properties.get("Policies", [])
        assert all("Statement" in one for one in written), f"{name}: policies have statements, not names"
        # Without it IAM takes the version of 2008, in which a variable is a text like any other.
        assert all(one["Version"] == "2012-10-17" for one in written), f"{name}: an old policy language"
        found[folder] = [statement for one in written for statement in one["Statement"]]
    return found


class _Reader:
    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        self._resources: Mapping[str, Any] = document["Resources"]
        self.conditions = Conditions(document.get("Conditions", {}), self.resolve)
        self._values: dict[str, object] = {
            name: declared.get("Default", f"<{name}>")
            for name, declared in document.get("Parameters", {}).items()
        }
        self._values |= parameters
        self._values |= {
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::NoValue": _NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{STACK}/0a1b",
            "AWS::Region": REGION,
            "AWS::StackName": STACK,
            "AWS::URLSuffix": "amazonaws.com",
        }

    def resolve(self, value: Any) -> Any:
        match value:
            case {"Ref": str(name)}:
                return self._reference(name)
            case {"Fn::GetAtt": str(name)}:
                return self._attribute(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(f"{name}.{attribute}")
            case {"Fn::Sub": str(pattern)}:
                return self._substitute(pattern, {})
            case {"Fn::Sub": [str(pattern), dict(own)]}:
                return self._substitute(pattern, {name: self.resolve(one) for name, one in own.items()})
            case {"Fn::Join": [str(between), parts]}:
                return between.join(map(str, self.resolve(parts)))
            case {"Fn::Split": [str(between), whole]}:
                return str(self.resolve(whole)).split(between)
            case {"Fn::Select": [int(at), {"Fn::Split": _} as parts]}:
                return self.resolve(parts)[at]
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self.resolve(then if self.conditions.hold(condition) else otherwise)
            case dict():
                resolved = {name: self.resolve(one) for name, one in value.items()}
                return {name: one for name, one in resolved.items() if one is not _NO_VALUE}
            case list():
                return [one for one in map(self.resolve, value) if one is not _NO_VALUE]
        return value

    def _existing(self, name: str) -> Mapping[str, Any]:
        resource: Mapping[str, Any] = self._resources[name]
        condition = resource.get("Condition")
        assert condition is None or self.conditions.hold(condition), f"{name} is not made, and asked for"
        return resource

    def _reference(self, name: str) -> object:
        if name in self._values:
            return self._values[name]
        resource = self._existing(name)
        named = resource.get("Properties", {}).get(_NAMES.get(resource["Type"], ""))
        return self.resolve(named) if named else f"{STACK}-{name}"

    def _attribute(self, path: str) -> str:
        name, _, attribute = path.partition(".")
        self._existing(name)
        if attribute == "DBClusterResourceId":
            return CLUSTER
        if attribute == "Arn" and self._resources[name]["Type"] == "AWS::S3::Bucket":
            return f"arn:aws:s3:::{self._reference(name)}"
        return f"<{path}>"

    def _substitute(self, pattern: str, own: Mapping[str, Any]) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in own:
                return str(own[name])
            return self._attribute(name) if "." in name else str(self._reference(name))

        return re.sub(r"\$\{([^}]+)\}", value, pattern)
