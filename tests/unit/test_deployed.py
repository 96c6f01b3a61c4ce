"""Test that `deployed` resolves a template as CloudFormation does."""

from pathlib import Path

import pytest

from local.template.document import TemplateError
from tests.support.deployed import CLUSTER, deployed, functions, policies

TEMPLATE = """
Parameters:
  Topic: {Type: String, Default: ""}
  Own: {Type: String, Default: "yes"}
  Asked: {Type: String}
Conditions:
  HasTopic: !Not [!Equals [!Ref Topic, ""]]
  IsOwn: !Equals [!Ref Own, "yes"]
  Both: !And [!Condition HasTopic, !Condition IsOwn]
  Either: !Or [!Condition HasTopic, !Condition IsOwn]
Resources:
  Cluster: {Type: AWS::RDS::DBCluster, Condition: IsOwn}
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: !Sub "${AWS::StackName}-files"}
  OneFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/one/
      Policies:
        - Version: "2012-10-17"
          Statement:
            - {Effect: Allow, Action: s3:GetObject, Resource: !Sub "${Bucket.Arn}/${!aws:PrincipalTag/org}/*"}
            - !If
              - Both
              - {Effect: Allow, Action: sns:Publish, Resource: !Ref Topic}
              - !Ref AWS::NoValue
Outputs:
  Host: {Value: !If [IsOwn, !GetAtt Cluster.Endpoint.Address, !Ref Asked]}
  Id:
    Condition: IsOwn
    Value: !Sub ["${Id}/app", {Id: !GetAtt [Cluster, DBClusterResourceId]}]
  Region: {Value: !Join ["", !Split ["-", !Ref AWS::Region]]}
  Either: {Value: !If [Either, a, b]}
"""


def test_references_and_conditions_are_resolved(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    usual = deployed({}, path)
    assert {name: one["Value"] for name, one in usual["Outputs"].items()} == {
        "Host": "<Cluster.Endpoint.Address>",
        "Id": f"{CLUSTER}/app",
        "Either": "a",
        "Region": "euwest3",
    }
    get = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::leads-test-files/${aws:PrincipalTag/org}/*",
    }
    assert (functions(usual), policies(usual)) == ({"one": "OneFunction"}, {"one": [get]})

    publish = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "topic"}
    assert policies(deployed({"Topic": "topic"}, path)) == {"one": [get, publish]}

    another = deployed({"Own": "no", "Topic": "topic"}, path)
    assert "Cluster" not in another["Resources"]
    assert "Id" not in another["Outputs"]
    assert another["Outputs"]["Host"]["Value"] == "<Asked>"
    assert policies(another) == {"one": [get]}
    assert deployed({"Own": "no"}, path)["Outputs"]["Either"]["Value"] == "b"


def test_reference_to_absent_resource_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE.replace("    Condition: IsOwn\n", ""))
    with pytest.raises(TemplateError, match="Cluster is referred to, but its condition is false"):
        deployed({"Own": "no"}, path)
