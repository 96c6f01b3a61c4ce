"""Check the policy evaluator on which the tests of policies rely."""

from typing import Any

import pytest

from tests.support.iam_policy import UnknownPolicy, allows, grants, matches


def statement(**other: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/in/*", **other}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("b/in/*", "b/in/a/b.csv", True),
        ("b/in/*", "b/in/", True),
        ("b/in/*", "b/into/a", False),
        ("b/in/*", "x/b/in/a", False),
        ("b.in/?", "b.in/a", True),
        ("b.in/?", "bxin/a", False),
        ("b.in/?", "b.in/ab", False),
        ("b/in/*", "b/in/a\nb", True),
        ("b/${tag}/*", "b/acme/x", True),
        ("b/${tag}/*", "b/acmes/x", False),
        ("b/${tag}/*", "b/${tag}/x", False),
        ("b/${star}/*", "b/anything/x", False),
        ("b/${star}/*", "b/*/x", True),
        ("b/${missing}/*", "b//x", False),
        ("b/${missing}/*", "b/${missing}/x", False),
    ],
)
def test_matches_pattern_with_variables_as_iam_does(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text, {"tag": "acme", "star": "*"}) is expected


def test_allows_grants_only_what_a_statement_states() -> None:
    statements = [statement(Action=["s3:getobject", "s3:Put*"])]
    assert allows(statements, "s3:GetObject", "arn:aws:s3:::b/in/a")
    assert allows(statements, "s3:PutObject", "arn:aws:s3:::b/in/a")
    assert not allows(statements, "s3:GetObjectVersion", "arn:aws:s3:::b/in/a")
    assert not allows(statements, "s3:GetObject", "arn:aws:s3:::b/out/a")
    assert not allows([], "s3:GetObject", "arn:aws:s3:::b/in/a")


def test_allows_with_a_denial_refuses() -> None:
    statements = [statement(), statement(Effect="Deny", Action="s3:*", Resource="*")]
    assert not allows(statements, "s3:GetObject", "arn:aws:s3:::b/in/a")


@pytest.mark.parametrize(
    ("condition", "with_tag", "empty_tag", "without_tag"),
    [
        ({"Null": {"tag": "false"}}, True, True, False),
        ({"Null": {"tag": "true"}}, False, False, True),
        ({"StringEquals": {"tag": ["acme", "other"]}}, True, False, False),
        ({"StringLike": {"tag": "?*"}}, True, False, False),
        ({"StringNotLike": {"tag": "a*"}}, False, True, True),
        ({"Null": {"tag": "false"}, "StringLike": {"tag": "b*"}}, False, False, False),
    ],
    ids=["present", "absent", "one of two values", "not empty", "unlike a pattern", "two conditions"],
)
def test_allows_with_condition_checks_present_and_absent_tag(
    condition: dict[str, Any], with_tag: bool, empty_tag: bool, without_tag: bool
) -> None:
    statements = [statement(Condition=condition)]
    answers = [
        allows(statements, "s3:GetObject", "arn:aws:s3:::b/in/a", context)
        for context in ({"tag": "acme"}, {"tag": ""}, {})
    ]
    assert answers == [with_tag, empty_tag, without_tag]


def test_grants_lists_each_action_on_each_resource() -> None:
    statements = [
        statement(Action=["s3:A", "s3:B"], Resource=["x", "y"]),
        statement(Effect="Deny"),
    ]
    assert list(grants(statements)) == [("s3:A", "x"), ("s3:A", "y"), ("s3:B", "x"), ("s3:B", "y")]


@pytest.mark.parametrize(
    "unknown",
    [
        {"NotAction": "s3:PutObject"},
        {"Principal": "*"},
        {"Effect": "allow"},
        {"Condition": {"NumericLessThan": {"s3:max-keys": "1"}}},
    ],
    ids=["negated action", "principal", "misspelled effect", "numeric condition"],
)
def test_allows_with_unknown_element_raises_unknown_policy(unknown: dict[str, Any]) -> None:
    with pytest.raises(UnknownPolicy):
        allows([statement(**unknown)], "s3:GetObject", "arn:aws:s3:::b/in/a")
