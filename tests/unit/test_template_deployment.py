"""Test template.yaml deployed alone, and into an existing VPC, cluster and sign-in."""

import json
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

import pytest

from local.aws.s3 import ACCOUNT_ID, REGION
from local.state import PROJECT
from local.template.document import read_document
from tests.support.deployed import (
    CLUSTER,
    PARAMETERS,
    STACK,
    broken_rules,
    deployed,
    functions,
    of_type,
    policies,
)
from tests.support.iam_policy import allows

ALONE: Final = deployed({})
"""A deployment without parameters, as `sam deploy --guided` makes it."""
INTO: Final = deployed(PARAMETERS)
"""A deployment into an existing cluster, with tokens of another issuer."""

FOR_A_DATABASE: Final = {"AWS::EC2", "AWS::RDS"}
FOR_SIGN_IN: Final = {"AWS::Cognito"}
FUNCTIONS: Final = functions(ALONE)
BUCKET: Final = f"arn:aws:s3:::{STACK}-{ACCOUNT_ID}-{REGION}"
CLAIMS: Final = {"custom:org_id", "custom:role"}


def kinds(template: Mapping[str, Any]) -> set[str]:
    """Return the services of the resources, such as AWS::RDS."""
    return {resource["Type"].rpartition("::")[0] for resource in template["Resources"].values()}


def only(template: Mapping[str, Any], kind: str) -> dict[str, Any]:
    (properties,) = of_type(template, kind).values()
    return properties


def test_network_database_and_pool_are_made_unless_provided() -> None:
    assert kinds(ALONE) >= FOR_A_DATABASE | FOR_SIGN_IN
    assert not kinds(INTO) & (FOR_A_DATABASE | FOR_SIGN_IN)


def test_database_and_sign_in_are_independent() -> None:
    database = {name: one for name, one in PARAMETERS.items() if not name.startswith("Jwt")}
    sign_in = {name: one for name, one in PARAMETERS.items() if name.startswith("Jwt")}
    assert kinds(deployed(database)) & (FOR_A_DATABASE | FOR_SIGN_IN) == FOR_SIGN_IN
    assert kinds(deployed(sign_in)) & (FOR_A_DATABASE | FOR_SIGN_IN) == FOR_A_DATABASE
    assert not broken_rules(database)
    assert not broken_rules(sign_in)


def test_functions_are_in_the_network_of_their_database() -> None:
    own, existing = (template["Globals"]["Function"] for template in (ALONE, INTO))
    assert own["VpcConfig"] == {
        "SubnetIds": ["<SubnetA>", "<SubnetB>"],
        "SecurityGroupIds": ["<FunctionsSecurityGroup.GroupId>"],
    }
    assert existing["VpcConfig"] == {
        "SubnetIds": PARAMETERS["SubnetIds"],
        "SecurityGroupIds": PARAMETERS["SecurityGroupIds"],
    }
    assert own["Environment"]["Variables"]["DATABASE_HOST"] == "<Database.Endpoint.Address>"
    assert existing["Environment"]["Variables"]["DATABASE_HOST"] == PARAMETERS["DatabaseHost"]
    assert own["Environment"]["Variables"]["DATABASE_AUTH"] == "iam"
    assert own["Environment"]["Variables"]["DATABASE_TLS"] == "on"


def test_subnets_are_in_named_zones_or_the_first_two() -> None:
    named = deployed({"FirstZone": "eu-west-3b", "SecondZone": "eu-west-3c"})
    zones = [one["AvailabilityZone"] for one in of_type(named, "AWS::EC2::Subnet").values()]
    assert zones == ["eu-west-3b", "eu-west-3c"]
    zones = [one["AvailabilityZone"] for one in of_type(ALONE, "AWS::EC2::Subnet").values()]
    assert zones == [{"Fn::Select": [at, {"Fn::GetAZs": ""}]} for at in (0, 1)]


def test_policies_are_the_same_in_both_deployments() -> None:
    assert policies(ALONE) == policies(INTO)


def test_restored_cluster_is_named_by_its_resource_id() -> None:
    text = str(policies(deployed({"DatabaseResourceId": "cluster-RESTORED"})))
    assert text.count("dbuser:cluster-RESTORED/") == len(FUNCTIONS)
    assert CLUSTER not in text


def test_network_has_no_exit_but_s3() -> None:
    assert not {
        resource["Type"]
        for resource in ALONE["Resources"].values()
        if resource["Type"].startswith("AWS::EC2::")
    } - {
        "AWS::EC2::VPC",
        "AWS::EC2::Subnet",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPCEndpoint",
        "AWS::EC2::SecurityGroup",
    }
    endpoint = only(ALONE, "AWS::EC2::VPCEndpoint")
    assert (endpoint["VpcEndpointType"], endpoint["ServiceName"]) == (
        "Gateway",
        "com.amazonaws.eu-west-3.s3",
    )
    routed = {one["RouteTableId"] for one in of_type(ALONE, "AWS::EC2::SubnetRouteTableAssociation").values()}
    assert routed == set(endpoint["RouteTableIds"])
    assert len(of_type(ALONE, "AWS::EC2::SubnetRouteTableAssociation")) == len(
        of_type(ALONE, "AWS::EC2::Subnet")
    )


def test_s3_endpoint_allows_own_bucket_and_custom_resources() -> None:
    document = only(ALONE, "AWS::EC2::VPCEndpoint")["PolicyDocument"]
    assert {statement["Principal"] for statement in document["Statement"]} == {"*"}
    statements = [
        {name: one for name, one in statement.items() if name != "Principal"}
        for statement in document["Statement"]
    ]
    granted = {
        (action, resource.removesuffix("*") + "some/key" if resource.endswith("*") else resource)
        for statement in chain.from_iterable(policies(ALONE).values())
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        for resource in (
            [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
        )
        if action.startswith("s3:")
    }
    assert granted
    assert not {one for one in granted if not allows(statements, *one)}
    answers = "arn:aws:s3:::cloudformation-custom-resource-response-euwest3/answer"
    assert allows(statements, "s3:PutObject", answers)
    assert not allows(statements, "s3:GetObject", answers)
    assert not allows(statements, "s3:PutObject", "arn:aws:s3:::another-bucket/key")
    assert not allows(statements, "s3:PutObject", f"{BUCKET}-of-another-account/key")


def test_database_accepts_only_functions() -> None:
    (rule,) = ALONE["Resources"]["DatabaseSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == "<FunctionsSecurityGroup.GroupId>"
    assert rule["FromPort"] == rule["ToPort"] == only(ALONE, "AWS::RDS::DBCluster")["Port"]
    assert only(ALONE, "AWS::RDS::DBCluster")["VpcSecurityGroupIds"] == ["<DatabaseSecurityGroup.GroupId>"]
    assert only(ALONE, "AWS::RDS::DBInstance")["PubliclyAccessible"] is False


def test_cluster_is_encrypted_backed_up_and_passwordless() -> None:
    cluster = only(ALONE, "AWS::RDS::DBCluster")
    assert cluster["StorageEncrypted"] is True
    assert cluster["EnableIAMDatabaseAuthentication"] is True
    assert cluster["MasterUserAuthenticationType"] == "iam-db-auth"
    assert not {name for name in cluster if "Password" in name}
    owner = ALONE["Resources"][FUNCTIONS["migrate_database"]]["Properties"]["Environment"]["Variables"]
    assert cluster["MasterUsername"] == owner["DATABASE_USER"]
    assert only(ALONE, "AWS::RDS::DBClusterParameterGroup")["Parameters"]["rds.force_ssl"] == "1"
    assert only(deployed({"BackupDays": "9"}), "AWS::RDS::DBCluster")["BackupRetentionPeriod"] == "9"


@pytest.mark.parametrize("policy", ["Delete", "Snapshot"])
def test_deletion_policy_of_cluster_is_a_parameter(policy: str) -> None:
    cluster = deployed({"DatabaseDeletionPolicy": policy})["Resources"]["Database"]
    assert (cluster["DeletionPolicy"], cluster["UpdateReplacePolicy"]) == (policy, policy)


def test_failed_first_deployment_can_be_deleted() -> None:
    protected = deployed({"DeletionProtection": "on"})
    assert only(ALONE, "AWS::RDS::DBCluster")["DeletionProtection"] is False
    assert only(protected, "AWS::RDS::DBCluster")["DeletionProtection"] is True
    assert only(ALONE, "AWS::Cognito::UserPool")["DeletionProtection"] == "INACTIVE"
    assert only(protected, "AWS::Cognito::UserPool")["DeletionProtection"] == "ACTIVE"
    retained = {name for name, one in ALONE["Resources"].items() if one.get("DeletionPolicy") == "Retain"}
    assert not retained, "retained resources are in the way of the next try"


def test_functions_wait_for_the_migration() -> None:
    for folder, name in FUNCTIONS.items():
        waits = ALONE["Resources"][name].get("DependsOn") == "DatabaseMigration"
        assert waits is (folder != "migrate_database"), name


def test_migration_runs_when_its_inputs_change() -> None:
    migration = only(ALONE, "Custom::DatabaseMigration")
    name = FUNCTIONS["migrate_database"]
    assert migration["ServiceToken"] == f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{STACK}-{name}"
    assert migration["Layer"] == "<SharedLayer>"
    assert migration["Database"] == "<DatabaseWriter>"
    into = only(INTO, "Custom::DatabaseMigration")
    assert into["Database"] == PARAMETERS["DatabaseHost"]
    assert into["Cluster"] == PARAMETERS["DatabaseResourceId"]
    for name_of, parameter in {
        "Port": "DatabasePort",
        "Name": "DatabaseName",
        "Owner": "DatabaseOwner",
        "Auth": "DatabaseAuth",
    }.items():
        changed = only(deployed({**PARAMETERS, parameter: "another"}), "Custom::DatabaseMigration")
        assert changed[name_of] == "another"
        assert changed != into
    assert ALONE["Resources"][name]["Properties"]["Timeout"] < migration["ServiceTimeout"]
    assert only(ALONE, "AWS::Lambda::EventInvokeConfig")["MaximumRetryAttempts"] == 0


def test_migration_sees_changes_of_all_code() -> None:
    """SAM names a layer's version by a checksum, so references to it change with its content."""
    layers = of_type(ALONE, "AWS::Serverless::LayerVersion")
    migration = only(ALONE, "Custom::DatabaseMigration")
    watched = {
        (PROJECT / layers[value.strip("<>")]["ContentUri"]).resolve()
        for value in migration.values()
        if isinstance(value, str) and value.strip("<>") in layers
    }
    shared = {ALONE["Resources"][name]["Properties"]["CodeUri"] for name in FUNCTIONS.values()}
    assert watched >= {(PROJECT / "layers/shared").resolve()}
    assert all(any((PROJECT / code).resolve().is_relative_to(one) for one in watched) for code in shared)


def test_deleted_stack_keeps_network_until_migration_answers() -> None:
    """CloudFormation deletes unreferenced resources first: the subnets would lose their routes."""
    network = {
        name
        for name, resource in ALONE["Resources"].items()
        if resource["Type"].rpartition("::")[0] in FOR_A_DATABASE
    }
    assert network <= needed_by("DatabaseMigration")
    assert "MigrateDatabaseLog" in needed_by("DatabaseMigration")


def needed_by(resource: str) -> set[str]:
    """Return the resources that one refers to or depends on, directly or indirectly."""
    document = read_document(PROJECT / "template.yaml")
    shared = {"AWS::Serverless::Function": document["Globals"]["Function"]}
    needed: set[str] = set()
    to_see = [resource]
    while to_see:
        one = document["Resources"][to_see.pop()]
        text = json.dumps([one, shared.get(one["Type"])])
        for name in document["Resources"].keys() - needed:
            if re.search(rf'"{name}[".]|\${{{name}[.}}]', text):
                needed.add(name)
                to_see.append(name)
    return needed


def test_only_administrators_create_users_and_set_claims() -> None:
    pool, client = only(ALONE, "AWS::Cognito::UserPool"), only(ALONE, "AWS::Cognito::UserPoolClient")
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert {f"custom:{one['Name']}" for one in pool["Schema"]} == CLAIMS
    assert set(client["ReadAttributes"]) >= CLAIMS | {"email"}
    # Cognito takes an empty list for all attributes.
    assert client["WriteAttributes"]
    assert not set(client["WriteAttributes"]) & (CLAIMS | {"email", "email_verified"})
    variables = ALONE["Resources"][FUNCTIONS["import_leads"]]["Properties"]["Environment"]["Variables"]
    assert {variables["ORGANISATION_CLAIM"], variables["ROLE_CLAIM"]} == CLAIMS


def test_api_accepts_tokens_of_pool_or_issuer() -> None:
    own, existing = (
        only(template, "AWS::Serverless::HttpApi")["Auth"]["Authorizers"]["JwtAuthorizer"]["JwtConfiguration"]
        for template in (ALONE, INTO)
    )
    assert own == {"issuer": "<UserPool.ProviderURL>", "audience": ["<UserPoolClient>"]}
    assert existing == {"issuer": PARAMETERS["JwtIssuer"], "audience": PARAMETERS["JwtAudience"]}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"DatabaseAuth": "password"}, "leave DatabaseAuth and DatabaseTls out"),
        ({"DatabaseTls": "off"}, "leave DatabaseAuth and DatabaseTls out"),
        ({**PARAMETERS, "SubnetIds": ""}, "from SubnetIds; name them"),
        ({**PARAMETERS, "SecurityGroupIds": ""}, "by SecurityGroupIds; name them"),
        ({**PARAMETERS, "DatabaseResourceId": ""}, "iam needs a DatabaseResourceId"),
        ({**PARAMETERS, "DatabaseTls": "off"}, "and DatabaseTls on"),
        (
            {**PARAMETERS, "DatabaseAuth": "password", "DatabasePassword": ""},
            "password needs DatabasePassword",
        ),
        ({"FirstZone": "eu-west-3a"}, "Aurora wants two zones"),
        ({"SecondZone": "eu-west-3a"}, "Aurora wants two zones"),
        ({"FirstZone": "eu-west-3a", "SecondZone": "eu-west-3a"}, "two different ones"),
        ({"OrganisationClaim": "org"}, "leave OrganisationClaim and RoleClaim out"),
        ({"JwtIssuer": "https://issuer.example"}, "told apart by JwtAudience; name one"),
    ],
)
def test_contradictory_parameters_are_refused(parameters: Mapping[str, str], message: str) -> None:
    (broken,) = broken_rules(parameters)
    assert message in broken


def test_consistent_parameters_are_accepted() -> None:
    assert broken_rules({}) == broken_rules(PARAMETERS) == []
    assert broken_rules({"FirstZone": "eu-west-3a", "SecondZone": "eu-west-3c"}) == []
    assert broken_rules({**PARAMETERS, "DatabaseAuth": "password", "DatabaseResourceId": ""}) == []
