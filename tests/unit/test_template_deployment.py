"""What template.yaml makes by itself and what into an existing VPC, cluster and sign-in: both are whole."""

import json
import re
from collections.abc import Mapping
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
"""With no parameter given: what `sam deploy --guided` alone makes."""
INTO: Final = deployed(PARAMETERS)
"""Into an existing cluster, with tokens of somebody else's."""

FOR_A_DATABASE: Final = {"AWS::EC2", "AWS::RDS"}
FOR_SIGN_IN: Final = {"AWS::Cognito"}
FUNCTIONS: Final = functions(ALONE)
BUCKET: Final = f"arn:aws:s3:::{STACK}-{ACCOUNT_ID}-{REGION}"
CLAIMS: Final = {"custom:org_id", "custom:role"}


def kinds(template: Mapping[str, Any]) -> set[str]:
    """The services of the resources, such as AWS::RDS."""
    return {resource["Type"].rpartition("::")[0] for resource in template["Resources"].values()}


def only(template: Mapping[str, Any], kind: str) -> dict[str, Any]:
    (properties,) = of_type(template, kind).values()
    return properties


def test_network_database_and_user_pool_are_made_unless_they_are_given() -> None:
    assert kinds(ALONE) >= FOR_A_DATABASE | FOR_SIGN_IN
    assert not kinds(INTO) & (FOR_A_DATABASE | FOR_SIGN_IN)


def test_one_of_them_may_be_given_without_the_other() -> None:
    database = {name: one for name, one in PARAMETERS.items() if not name.startswith("Jwt")}
    sign_in = {name: one for name, one in PARAMETERS.items() if name.startswith("Jwt")}
    assert kinds(deployed(database)) & (FOR_A_DATABASE | FOR_SIGN_IN) == FOR_SIGN_IN
    assert kinds(deployed(sign_in)) & (FOR_A_DATABASE | FOR_SIGN_IN) == FOR_A_DATABASE
    assert not broken_rules(database)
    assert not broken_rules(sign_in)


def test_functions_are_where_their_database_is() -> None:
    own, given = (template["Globals"]["Function"] for template in (ALONE, INTO))
    assert own["VpcConfig"] == {
        "SubnetIds": ["<SubnetA>", "<SubnetB>"],
        "SecurityGroupIds": ["<FunctionsSecurityGroup.GroupId>"],
    }
    assert given["VpcConfig"] == {
        "SubnetIds": PARAMETERS["SubnetIds"],
        "SecurityGroupIds": PARAMETERS["SecurityGroupIds"],
    }
    assert own["Environment"]["Variables"]["DATABASE_HOST"] == "<Database.Endpoint.Address>"
    assert given["Environment"]["Variables"]["DATABASE_HOST"] == PARAMETERS["DatabaseHost"]
    assert own["Environment"]["Variables"]["DATABASE_AUTH"] == "iam"
    assert own["Environment"]["Variables"]["DATABASE_TLS"] == "on"


def test_subnets_are_in_the_zones_that_are_named_or_in_the_regions_first_two() -> None:
    named = deployed({"FirstZone": "eu-west-3b", "SecondZone": "eu-west-3c"})
    zones = [one["AvailabilityZone"] for one in of_type(named, "AWS::EC2::Subnet").values()]
    assert zones == ["eu-west-3b", "eu-west-3c"]
    zones = [one["AvailabilityZone"] for one in of_type(ALONE, "AWS::EC2::Subnet").values()]
    assert zones == [{"Fn::Select": [at, {"Fn::GetAZs": ""}]} for at in (0, 1)]


def test_roles_may_do_the_same_in_both() -> None:
    assert policies(ALONE) == policies(INTO)


def test_a_restored_cluster_is_named_by_its_resource_id() -> None:
    text = str(policies(deployed({"DatabaseResourceId": "cluster-RESTORED"})))
    assert text.count("dbuser:cluster-RESTORED/") == len(FUNCTIONS)
    assert CLUSTER not in text


def test_nothing_leads_out_of_the_network_but_the_way_to_s3() -> None:
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


def test_the_way_to_s3_leads_to_our_bucket_and_to_where_custom_resources_answer() -> None:
    document = only(ALONE, "AWS::EC2::VPCEndpoint")["PolicyDocument"]
    assert {statement["Principal"] for statement in document["Statement"]} == {"*"}
    statements = [
        {name: one for name, one in statement.items() if name != "Principal"}
        for statement in document["Statement"]
    ]
    granted = {
        (action, resource.removesuffix("*") + "some/key" if resource.endswith("*") else resource)
        for statement in sum(policies(ALONE).values(), [])
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
    assert not allows(statements, "s3:PutObject", "arn:aws:s3:::somebody-elses/key")
    assert not allows(statements, "s3:PutObject", f"{BUCKET}-of-somebody-else/key")


def test_the_database_lets_in_the_functions_and_nobody_else() -> None:
    (rule,) = ALONE["Resources"]["DatabaseSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == "<FunctionsSecurityGroup.GroupId>"
    assert rule["FromPort"] == rule["ToPort"] == only(ALONE, "AWS::RDS::DBCluster")["Port"]
    assert only(ALONE, "AWS::RDS::DBCluster")["VpcSecurityGroupIds"] == ["<DatabaseSecurityGroup.GroupId>"]
    assert only(ALONE, "AWS::RDS::DBInstance")["PubliclyAccessible"] is False


def test_the_cluster_is_encrypted_backed_up_and_without_passwords() -> None:
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
def test_what_becomes_of_the_cluster_is_a_parameter(policy: str) -> None:
    cluster = deployed({"DatabaseDeletionPolicy": policy})["Resources"]["Database"]
    assert (cluster["DeletionPolicy"], cluster["UpdateReplacePolicy"]) == (policy, policy)


def test_a_first_deployment_that_fails_can_go_unless_protection_was_asked_for() -> None:
    protected = deployed({"DeletionProtection": "on"})
    assert only(ALONE, "AWS::RDS::DBCluster")["DeletionProtection"] is False
    assert only(protected, "AWS::RDS::DBCluster")["DeletionProtection"] is True
    assert only(ALONE, "AWS::Cognito::UserPool")["DeletionProtection"] == "INACTIVE"
    assert only(protected, "AWS::Cognito::UserPool")["DeletionProtection"] == "ACTIVE"
    kept = {name for name, one in ALONE["Resources"].items() if one.get("DeletionPolicy") == "Retain"}
    assert not kept, "what is kept is in the way of the next try"


def test_new_code_meets_the_new_schema() -> None:
    for folder, name in FUNCTIONS.items():
        waits = ALONE["Resources"][name].get("DependsOn") == "DatabaseMigration"
        assert waits is (folder != "migrate_database"), name


def test_the_database_is_migrated_when_layer_code_or_database_change() -> None:
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


def test_a_change_of_any_functions_code_is_seen() -> None:
    """SAM names a layer's version by the checksum of its content, so a reference to it changes with that."""
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


def test_the_answer_of_a_stack_that_goes_has_its_way_to_s3_still() -> None:
    """What nothing else needs is deleted first: the subnets would lose their routes at once."""
    network = {
        name
        for name, resource in ALONE["Resources"].items()
        if resource["Type"].rpartition("::")[0] in FOR_A_DATABASE
    }
    assert network <= needed_by("DatabaseMigration")
    assert "MigrateDatabaseLog" in needed_by("DatabaseMigration")


def needed_by(resource: str) -> set[str]:
    """The resources that it refers to or depends on, and they in their turn."""
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


def test_only_administrators_make_users_and_say_whose_they_are() -> None:
    pool, client = only(ALONE, "AWS::Cognito::UserPool"), only(ALONE, "AWS::Cognito::UserPoolClient")
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert {f"custom:{one['Name']}" for one in pool["Schema"]} == CLAIMS
    assert set(client["ReadAttributes"]) >= CLAIMS | {"email"}
    # Cognito takes an empty list for all attributes.
    assert client["WriteAttributes"]
    assert not set(client["WriteAttributes"]) & (CLAIMS | {"email", "email_verified"})
    variables = ALONE["Resources"][FUNCTIONS["import_leads"]]["Properties"]["Environment"]["Variables"]
    assert {variables["ORGANISATION_CLAIM"], variables["ROLE_CLAIM"]} == CLAIMS


def test_the_api_believes_the_tokens_of_the_pool_or_of_the_issuer() -> None:
    own, given = (
        only(template, "AWS::Serverless::HttpApi")["Auth"]["Authorizers"]["JwtAuthorizer"]["JwtConfiguration"]
        for template in (ALONE, INTO)
    )
    assert own == {"issuer": "<UserPool.ProviderURL>", "audience": ["<UserPoolClient>"]}
    assert given == {"issuer": PARAMETERS["JwtIssuer"], "audience": PARAMETERS["JwtAudience"]}


@pytest.mark.parametrize(
    ("parameters", "told"),
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
def test_parameters_that_do_not_go_together_are_refused_at_once(
    parameters: Mapping[str, str], told: str
) -> None:
    (broken,) = broken_rules(parameters)
    assert told in broken


def test_parameters_that_go_together_are_taken() -> None:
    assert broken_rules({}) == broken_rules(PARAMETERS) == []
    assert broken_rules({"FirstZone": "eu-west-3a", "SecondZone": "eu-west-3c"}) == []
    assert broken_rules({**PARAMETERS, "DatabaseAuth": "password", "DatabaseResourceId": ""}) == []
