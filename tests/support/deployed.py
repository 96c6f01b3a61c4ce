"""Resolve template.yaml as CloudFormation does in a deployment.

The result holds every resource. A value that only AWS knows is a text in angle brackets.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from local.state import PROJECT
from local.template.deployment import load_template
from local.template.document import read_document
from local.template.resolver import Resolver

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
"""The parameters of a deployment into an existing cluster, with tokens of another issuer."""

FUNCTIONS: Final = {
    one.code.name: one
    for one in load_template(PROJECT / "template.yaml", PARAMETERS, stack_name=STACK).functions
}
"""The functions as the laptop runs them, by the name of their folder."""


def deployed(
    parameters: Mapping[str, str] = PARAMETERS, path: Path = PROJECT / "template.yaml"
) -> dict[str, Any]:
    """Return the resolved template, without the members whose condition is false."""
    document = read_document(path)
    resolver = Resolver(document, parameters, STACK, _placeholder)
    sections = {section: resolver.existing(section) for section in ("Resources", "Outputs")}
    resolved: dict[str, Any] = resolver.resolve({**document, **sections, "Conditions": {}, "Rules": {}})
    return resolved


def broken_rules(parameters: Mapping[str, str], path: Path = PROJECT / "template.yaml") -> list[str]:
    """Return the messages with which CloudFormation refuses these parameters."""
    document = read_document(path)
    resolver = Resolver(document, parameters, STACK, _placeholder)
    return [
        assertion["AssertDescription"]
        for rule in document["Rules"].values()
        if resolver.holds(rule["RuleCondition"])
        for assertion in rule["Assertions"]
        if not resolver.holds(assertion["Assert"])
    ]


def of_type(template: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of one type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def functions(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the logical id of each function, by the name of its folder."""
    return {
        Path(properties["CodeUri"]).name: name
        for name, properties in of_type(template, "AWS::Serverless::Function").items()
    }


def policies(template: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the statements of each function's own policies, by the name of its folder.

    SAM adds others for the VPC, X-Ray, logs and the dead-letter queue, whose actions no code here calls.
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


def _placeholder(name: str) -> str:
    return CLUSTER if name.endswith(".DBClusterResourceId") else f"<{name}>"
