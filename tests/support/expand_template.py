"""Print the CloudFormation template that SAM makes of a SAM template, without an AWS account.

    python tests/support/expand_template.py template.yaml

It runs with the Python of .venv-sam, which has SAM's own translator. cfn-lint then finds faults that only the
expanded template has, such as a circular reference of bucket, trigger and function.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

REGION = "eu-west-3"


def expand(template: dict[str, Any]) -> dict[str, Any]:
    """Replace every AWS::Serverless resource by the resources that it stands for."""
    for resource in template["Resources"].values():
        # In a deployment `sam package` uploads the code and inserts its address.
        properties = resource.get("Properties", {})
        for uri in ("CodeUri", "ContentUri"):
            if uri in properties:
                properties[uri] = "s3://artifacts/code.zip"
    parameters = {name: _sample(declared) for name, declared in template.get("Parameters", {}).items()}
    # The map of managed policies is empty: IAM would have to supply it, and ARNs need none.
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    expanded: dict[str, Any] = translator.translate(sam_template=template, parameter_values=parameters)
    return expanded


def _sample(parameter: dict[str, Any]) -> str:
    return str(parameter.get("Default", "sample"))


if __name__ == "__main__":
    print(json.dumps(expand(yaml_parse(Path(sys.argv[1]).read_text())), indent=2))  # noqa: T201
