"""Compare template.yaml's triggers, expiry, logs and limits with the code.

The tests state rules instead of lists, so that a new function has to keep them, too.
"""

import re
from itertools import permutations
from pathlib import Path
from typing import Final

import pytest

from leads.jobs.outcome import MAX_ATTEMPTS
from leads.s3.keys import DROP, EXPORT_REQUESTS, IMPORTS
from local.aws.s3 import ACCOUNT_ID, REGION
from local.state import PROJECT
from tests.support.deployed import FUNCTIONS, PARAMETERS, STACK, deployed, functions, of_type, policies
from tests.support.iam_policy import grants
from tests.support.key_prefixes import KEY_PREFIXES

CHOSEN: Final = {
    **PARAMETERS,
    "LogDays": "3",
    "NoncurrentDays": "2",
    "ResultDays": "5",
    "SourceDays": "41",
}
"""Parameters with values that differ from each other and from the defaults."""

TEMPLATE: Final = deployed(CHOSEN)
NAMES: Final = sorted(FUNCTIONS)
WITH_FILES: Final = sorted(name for name, function in FUNCTIONS.items() if function.triggers)

ANNOUNCED: Final = {"process_import": {IMPORTS, DROP}, "process_export": {EXPORT_REQUESTS}}
"""The folders of which each function gets the events."""


def test_triggers_match_the_folders_of_the_code() -> None:
    triggers = {name: FUNCTIONS[name].triggers for name in WITH_FILES}
    assert {name: {one.prefix for one in several} for name, several in triggers.items()} == ANNOUNCED
    for trigger in (one for several in triggers.values() for one in several):
        assert (trigger.events, trigger.suffix) == (("s3:ObjectCreated:*",), "")


def test_trigger_prefixes_do_not_overlap() -> None:
    """S3 refuses notifications whose prefixes overlap."""
    prefixes = [one.prefix for name in WITH_FILES for one in FUNCTIONS[name].triggers]
    assert not [(one, other) for one, other in permutations(prefixes, 2) if other.startswith(one)]


@pytest.mark.parametrize("name", WITH_FILES)
def test_function_cannot_write_what_invokes_it(name: str) -> None:
    """Such a function would invoke itself for ever."""
    written = {
        resource.partition("/")[2]
        for action, resource in grants(policies(TEMPLATE)[name])
        if action == "s3:PutObject"
    }
    assert written
    assert not {
        folder
        for folder in written
        for trigger in FUNCTIONS[name].triggers
        if folder.startswith(trigger.prefix) or trigger.prefix.startswith(folder.rstrip("*"))
    }


@pytest.mark.parametrize("name", WITH_FILES)
def test_retries_match_the_code_and_dead_letters_stay(name: str) -> None:
    function = FUNCTIONS[name]
    assert function.retries == MAX_ATTEMPTS - 1
    assert function.dead_letters is not None
    queue = function.dead_letters.removeprefix(f"{STACK}-")
    assert of_type(TEMPLATE, "AWS::SQS::Queue")[queue]["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_bucket_refuses_public_access_and_plain_http() -> None:
    (name,) = of_type(TEMPLATE, "AWS::S3::Bucket")
    bucket = of_type(TEMPLATE, "AWS::S3::Bucket")[name]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["BucketEncryption"]
    (policy,) = of_type(TEMPLATE, "AWS::S3::BucketPolicy").values()
    assert policy["Bucket"] == bucket["BucketName"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    arn = f"arn:aws:s3:::{bucket['BucketName']}"
    assert {word: statement[word] for word in ("Effect", "Principal", "Action", "Resource", "Condition")} == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_bucket_and_api_allow_the_same_origins() -> None:
    """One parameter lists the origins of both."""
    template = deployed({**PARAMETERS, "AllowedOrigins": "https://crm.example"})
    (api,) = of_type(template, "AWS::Serverless::HttpApi").values()
    (bucket,) = of_type(template, "AWS::S3::Bucket").values()
    (rule,) = bucket["CorsConfiguration"]["CorsRules"]
    assert api["CorsConfiguration"]["AllowOrigins"] == rule["AllowedOrigins"] == "https://crm.example"
    # A form's upload, and a link's download.
    assert set(rule["AllowedMethods"]) == {"GET", "POST"}


@pytest.mark.parametrize("name", NAMES)
def test_every_function_is_traced(name: str) -> None:
    own = TEMPLATE["Resources"][functions(TEMPLATE)[name]]["Properties"]
    assert (TEMPLATE["Globals"]["Function"] | own)["Tracing"] == "Active"


@pytest.mark.parametrize("name", ["process_import", "process_export"])
def test_file_functions_have_two_processors(name: str) -> None:
    """1,769 MB are one (Lambda developer guide, "Configure Lambda function memory")."""
    assert FUNCTIONS[name].memory >= 2 * 1769


def test_every_folder_of_the_bucket_expires() -> None:
    (bucket,) = of_type(TEMPLATE, "AWS::S3::Bucket").values()
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    folders = [rule for rule in rules if "Prefix" in rule]
    (leftovers,) = [rule for rule in rules if "Prefix" not in rule]
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in folders}
    assert len(days) == len(folders)
    sources = {IMPORTS, DROP}
    assert days == {one: CHOSEN["SourceDays" if one in sources else "ResultDays"] for one in KEY_PREFIXES}
    assert leftovers["NoncurrentVersionExpiration"] == {"NoncurrentDays": CHOSEN["NoncurrentDays"]}
    assert leftovers["AbortIncompleteMultipartUpload"]


def test_bucket_name_fits_longest_documented_stack_name() -> None:
    """A bucket's name has up to 63 characters (S3 user guide, "General purpose bucket naming rules").

    It is unique in the world, so it holds account and region. ap-southeast-2 is the longest name of a region.
    """
    (bucket,) = of_type(TEMPLATE, "AWS::S3::Bucket").values()
    assert bucket["BucketName"] == f"{STACK}-{ACCOUNT_ID}-{REGION}"
    (documented,) = re.findall(
        r"lower case and have at most (\d+) characters", (PROJECT / "docs/deploy.md").read_text()
    )
    assert int(documented) + len(f"-{ACCOUNT_ID}-ap-southeast-2") == 63


def test_explicit_names_start_with_the_stack_name() -> None:
    """Otherwise one account could not have two stacks."""
    named = ("BucketName", "DashboardName", "LayerName", "LogGroupName", "UserPoolName")
    template = deployed({})
    names = [
        value.removeprefix("/aws/lambda/").removeprefix("/aws/vendedlogs/")
        for resource in template["Resources"].values()
        for name, value in resource["Properties"].items()
        if name in named or (name.endswith("Name") and resource["Type"].startswith("AWS::Serverless::"))
    ]
    assert len(names) >= len(named)
    assert not [one for one in names if not one.startswith(STACK)]
    layers = of_type(template, "AWS::Serverless::LayerVersion").values()
    assert all("LayerName" in one for one in layers), "or two stacks add versions to one layer"


def test_functions_know_the_expiry_of_their_links() -> None:
    (bucket,) = of_type(TEMPLATE, "AWS::S3::Bucket").values()
    days = {
        rule.get("Prefix"): rule.get("ExpirationInDays") for rule in bucket["LifecycleConfiguration"]["Rules"]
    }
    configured = {
        one["Properties"]["Environment"]["Variables"].get("RESULT_DAYS")
        for one in TEMPLATE["Resources"].values()
        if one["Type"] == "AWS::Serverless::Function"
        and "BUCKET_NAME" in one["Properties"]["Environment"]["Variables"]
    }
    assert configured == {days["reports/"]} == {days["exports/"]} == {CHOSEN["ResultDays"]}


def test_unfinished_uploads_are_aborted_after_a_day() -> None:
    """Nothing else removes them, because the next run starts an upload of its own."""
    (bucket,) = of_type(TEMPLATE, "AWS::S3::Bucket").values()
    (rule,) = [
        one for one in bucket["LifecycleConfiguration"]["Rules"] if "AbortIncompleteMultipartUpload" in one
    ]
    assert rule["Status"] == "Enabled"
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert not {"Prefix", "Filter"} & rule.keys(), "the rule covers every folder"


@pytest.mark.parametrize("name", NAMES)
def test_every_function_has_logs_that_expire(name: str) -> None:
    groups = of_type(TEMPLATE, "AWS::Logs::LogGroup").values()
    (own,) = [one for one in groups if one["LogGroupName"] == f"/aws/lambda/{FUNCTIONS[name].name}"]
    assert own["RetentionInDays"] == CHOSEN["LogDays"]


def test_all_logs_expire() -> None:
    assert all("RetentionInDays" in one for one in of_type(TEMPLATE, "AWS::Logs::LogGroup").values())


@pytest.mark.parametrize("name", NAMES)
def test_http_functions_time_out_before_the_gateway(name: str) -> None:
    """The gateway waits 30 s (API Gateway quotas, HTTP API integration timeout). Lambda allows 900 s."""
    assert FUNCTIONS[name].timeout < (30 if FUNCTIONS[name].routes else 901)


def test_cors_allows_every_route() -> None:
    (api,) = of_type(TEMPLATE, "AWS::Serverless::HttpApi").values()
    cors = api["CorsConfiguration"]
    methods = {route.method for function in FUNCTIONS.values() for route in function.routes}
    assert set(cors["AllowMethods"]) == methods
    sources = [*(PROJECT / "functions").glob("*/app.py"), *(PROJECT / "layers/shared/leads/web").glob("*.py")]
    code = "".join(map(Path.read_text, sources))
    answered = {"Location", "Link", "Retry-After", "Preference-Applied"}
    assert all(f'"{header}"' in code for header in answered)
    assert set(cors["ExposeHeaders"]) == {header.lower() for header in answered}


def test_documented_outputs_exist() -> None:
    texts = [(PROJECT / name).read_text() for name in ("docs/deploy.md", "docs/operations.md")]
    documented = {
        output for text in texts for output in re.findall(r"(?:OutputKey=='|\boutput )([A-Z]\w+)", text)
    }
    assert documented
    assert documented <= deployed({})["Outputs"].keys()
