"""Test the policy of partners: each may only write to the drop folder of its organisation."""

from typing import Any

import pytest

from local.aws.s3 import ACCOUNT_ID, REGION
from tests.support.deployed import STACK, deployed
from tests.support.iam_policy import allows
from tests.support.key_prefixes import KEY_PREFIXES

TEMPLATE = deployed()
DOCUMENT: dict[str, Any] = TEMPLATE["Resources"]["PartnerDropPolicy"]["Properties"]["PolicyDocument"]
BUCKET = f"arn:aws:s3:::{STACK}-{ACCOUNT_ID}-{REGION}"
TAG = "aws:PrincipalTag/org_id"


def may(action: str, key: str, tag: str | None) -> bool:
    context = {} if tag is None else {TAG: tag}
    return allows(DOCUMENT["Statement"], action, f"{BUCKET}/{key}", context)


def test_policy_version_supports_variables() -> None:
    """An older version treats variables as plain text (IAM user guide, "Version")."""
    assert DOCUMENT["Version"] == "2012-10-17"


@pytest.mark.parametrize("key", ["x.csv", "x.csv.gz", "OVERWRITE/x.csv", "été du lundi.csv"])
def test_partner_puts_files_into_own_folder(key: str) -> None:
    assert may("s3:PutObject", f"drop/acme/{key}", "acme")


@pytest.mark.parametrize(
    "key",
    [
        "drop/other/x.csv",
        "drop/acme-2/x.csv",
        "drop/ACME/x.csv",
        "drop/acme",
        "drop/x.csv",
        "drop//x.csv",
        "/drop/acme/x.csv",
        "other/drop/acme/x.csv",
        *(f"{prefix}acme/x.csv" for prefix in sorted(KEY_PREFIXES - {"drop/"})),
    ],
)
def test_partner_cannot_put_elsewhere(key: str) -> None:
    assert not may("s3:PutObject", key, "acme")


@pytest.mark.parametrize(
    "action",
    [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
    ],
)
def test_partner_cannot_read_or_delete_files(action: str) -> None:
    assert not may(action, "drop/acme/x.csv", "acme")


def test_partner_has_no_rights_on_the_bucket() -> None:
    for action in ("s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucketPolicy", "s3:PutObject"):
        assert not allows(DOCUMENT["Statement"], action, BUCKET, {TAG: "acme"})
        assert not allows(DOCUMENT["Statement"], action, f"{BUCKET}-other/drop/acme/x.csv", {TAG: "acme"})


@pytest.mark.parametrize("tag", [None, "", "acme/OVERWRITE", "/", "*", "?", "other/../acme"])
@pytest.mark.parametrize(
    "key",
    ["drop//x.csv", "drop/acme/x.csv", "drop/acme/OVERWRITE/x.csv", "drop/${aws:PrincipalTag/org_id}/x.csv"],
)
def test_principal_without_valid_tag_has_no_folder(tag: str | None, key: str) -> None:
    assert not may("s3:PutObject", key, tag)


def test_policy_arn_is_an_output_and_unattached() -> None:
    assert TEMPLATE["Outputs"]["PartnerDropPolicyArn"]["Value"] == "<PartnerDropPolicy>"
    properties = TEMPLATE["Resources"]["PartnerDropPolicy"]["Properties"]
    assert not {"Users", "Roles", "Groups"} & properties.keys(), "the operator attaches it"
