"""Read the Prefer and Accept headers, choices and flags."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.domain.lead import LeadSource
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import FieldError, InvalidRequest
from leads.web.parameters import (
    Preference,
    asks_for_json,
    read_choice,
    read_flag,
    read_preference,
    refuse_unknown,
)


def preferred(header: str) -> Preference:
    return read_preference({"prefer": header}, default_wait=20.0, max_wait=25)


@pytest.mark.parametrize(
    ("header", "wait", "applied"),
    [
        ("wait=5", 5, "wait=5"),
        ("wait=0", 0, "wait=0"),
        ('wait="5"', 5, "wait=5"),
        ("WAIT = 5", 5, "wait=5"),
        ("wait=100", 25, "wait=25"),
        ("wait=999999999", 25, "wait=25"),
        ("respond-async", 0, "respond-async"),
        ("Respond-Async", 0, "respond-async"),
        ("respond-async, wait=10", 10, "respond-async, wait=10"),
        ("wait=10,respond-async", 10, "respond-async, wait=10"),
        ("return=minimal, wait=3", 3, "wait=3"),
        ("wait=3; unit=seconds", 3, "wait=3"),
        ("wait=3, wait=4", 3, "wait=3"),
        (", ,wait=3,", 3, "wait=3"),
        ('note="a, b; c", wait=3', 3, "wait=3"),
        ('note="a \\", b", wait=3', 3, "wait=3"),
    ],
)
def test_preference_is_read_and_reported_as_applied(header: str, wait: int, applied: str) -> None:
    assert preferred(header) == Preference(wait, applied)
    assert preferred(header).headers == {"Preference-Applied": applied}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "return=minimal",
        "wait",
        "wait=",
        "wait=soon",
        "wait=-1",
        "wait=1.5",
        "wait=\u0663",
        "wait=1234567890",
        "wait=x, wait=3",
        "wait 3",
        "await=3",
        "respond-asynchronously",
        '"wait=3"',
        'note="a, wait=3"',
        'note="respond-async"',
        'note="never closed, wait=3',
        "=3",
        ";;;,,,",
    ],
)
def test_unknown_preference_is_ignored(header: str) -> None:
    assert preferred(header) == Preference(20.0, None)
    assert preferred(header).headers == {}


def test_missing_preference_is_the_default_wait() -> None:
    assert read_preference({"accept": "*/*"}, default_wait=20.0, max_wait=25) == Preference(20.0, None)


def test_header_name_in_any_case_is_found() -> None:
    assert read_preference({"Prefer": "wait=1"}, default_wait=20.0, max_wait=25).wait_seconds == 1
    assert asks_for_json({"Accept": "application/json"})


@given(st.text(st.sampled_from('wait=respond-async,; "\\0123456789')) | st.text())
def test_any_preference_waits_at_most_max_wait(header: str) -> None:
    assert 0 <= preferred(header).wait_seconds <= 25


@pytest.mark.parametrize("part", [" ", '"', '""', '"\\', "a=", ", ", ";"])
def test_hostile_preference_is_read_in_linear_time(part: str) -> None:
    started_at = time.process_time()
    assert preferred("a=" + part * 20_000 + '"x').applied is None
    assert time.process_time() - started_at < 1


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "Application/JSON",
        "application/json, text/plain, */*",
        "text/csv;q=0.1,application/json;q=1",
    ],
)
def test_accept_header_with_json_asks_for_json(accept: str) -> None:
    assert asks_for_json({"accept": accept})


@pytest.mark.parametrize(
    "accept",
    ["*/*", "", "text/html,application/xhtml+xml,*/*;q=0.8", "application/problem+json", "application/*"],
)
def test_accept_header_without_json_does_not_ask_for_json(accept: str) -> None:
    assert not asks_for_json({"accept": accept})


def test_missing_accept_header_does_not_ask_for_json() -> None:
    assert not asks_for_json({})


@pytest.mark.parametrize("text", ["WALK_IN", "walk_in", " Walk_In "])
def test_choice_in_any_case_is_accepted(text: str) -> None:
    assert read_choice(LeadSource, "source", text) is LeadSource.WALK_IN


@pytest.mark.parametrize("text", ["", "MERGE", "SKIP,OVERWRITE", "SK\u0131P", "\u017fkip", "x" * 200])
def test_unknown_choice_is_refused_with_allowed_ones(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_choice(MergeStrategy, "mergeStrategy", text)
    message = f"Invalid mergeStrategy value: {text[:100] or '(empty)'}. Allowed: SKIP, OVERWRITE, CREATE_NEW"
    assert caught.value.errors == (FieldError("mergeStrategy", message),)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("TRUE", True), ("false", False), ("False", False)]
)
def test_flag_is_true_or_false(text: str, value: bool) -> None:
    assert read_flag("dryRun", text) is value


@pytest.mark.parametrize("text", ["", "1", "yes", "tru"])
def test_invalid_flag_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_flag("dryRun", text)
    assert str(caught.value) == f"Invalid dryRun value: {text or '(empty)'}. Allowed: true, false"


def test_every_unknown_parameter_is_named() -> None:
    refuse_unknown(["limit"], ("limit", "cursor"))
    with pytest.raises(InvalidRequest) as caught:
        refuse_unknown(["limit", "page", "statsu"], ("limit", "cursor"))
    assert caught.value.errors == (
        FieldError("page", "Unknown parameter: page. Allowed: limit, cursor"),
        FieldError("statsu", "Unknown parameter: statsu. Allowed: limit, cursor"),
    )
