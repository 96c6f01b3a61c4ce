"""Read a request for an upload."""

import json

import pytest

from leads.domain.import_job import ImportOrder
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import InvalidRequest
from leads.web.upload_requests import read_upload_request
from tests.unit.web.events import http_event


def read_upload(body: object, query: dict[str, str] | None = None) -> ImportOrder:
    return read_upload_request(http_event(json.dumps(body), query=query))


def refused_upload(body: str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        read_upload_request(http_event(body))
    assert str(caught.value)
    return [(error.field, error.message) for error in caught.value.errors]


def test_upload_with_filename_alone_skips_duplicates() -> None:
    assert read_upload({"filename": "leads.csv"}) == ImportOrder("leads.csv", MergeStrategy.SKIP, False)


def test_upload_reads_every_import_option() -> None:
    body = {"filename": "../leads.csv", "mergeStrategy": "CREATE_NEW", "dryRun": True}
    assert read_upload(body) == ImportOrder("leads.csv", MergeStrategy.CREATE_NEW, True)


def test_upload_body_in_base64_is_read() -> None:
    event = http_event(b'{"filename": "\xc3\xa9t\xc3\xa9.csv"}')
    assert read_upload_request(event).filename == "été.csv"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", "body"),
        ("{", "body"),
        ("[]", "body"),
        ("null", "body"),
        ("{}", "filename"),
        ('{"filename": ""}', "filename"),
        ('{"filename": 7}', "filename"),
        (json.dumps({"filename": "x" * 256}), "filename"),
        ('{"filename": "a.csv", "mergeStrategy": "MERGE"}', "mergeStrategy"),
        ('{"filename": "a.csv", "dryRun": "perhaps"}', "dryRun"),
        ('{"filename": "a.csv", "size": 7}', "size"),
        ('{"filename": "a.csv", "merge_strategy": "SKIP"}', "merge_strategy"),
    ],
)
def test_invalid_upload_is_refused_by_field(body: str, field: str) -> None:
    ((named, message),) = refused_upload(body)
    assert named == field
    assert field in message
    expected = ("must be JSON", "is required", "a text of 1 to 255 characters", "Allowed: ")
    assert any(words in message for words in expected), message


def test_invalid_upload_reports_all_faults() -> None:
    faults = refused_upload('{"mergeStrategy": "MERGE", "dryRun": null}')
    assert [field for field, _ in faults] == ["filename", "mergeStrategy", "dryRun"]
    assert "SKIP, OVERWRITE, CREATE_NEW" in faults[1][1]


@pytest.mark.parametrize("strategy", ["OVERWRITE", "overwrite", "Overwrite"])
def test_upload_strategy_in_any_case_is_accepted(strategy: str) -> None:
    order = read_upload({"filename": "leads.csv", "mergeStrategy": strategy})
    assert order.merge_strategy is MergeStrategy.OVERWRITE


def test_upload_faults_are_separated_in_the_detail() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_upload_request(http_event(b'{"mergeStrategy": "MERGE"}'))
    assert str(caught.value) == (
        "filename is required; Invalid mergeStrategy value. Allowed: SKIP, OVERWRITE, CREATE_NEW"
    )


def test_too_long_upload_filename_is_not_called_missing() -> None:
    ((_, message),) = refused_upload(json.dumps({"filename": "x" * 256}))
    assert message == "filename must be a text of 1 to 255 characters."


@pytest.mark.parametrize("name", ["filename", "mergeStrategy", "dryRun"])
def test_upload_option_in_the_query_is_refused_with_advice(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{name} must be in the JSON body, not in the query.$"):
        read_upload({"filename": "leads.csv"}, query={name: "true"})


def test_upload_with_unknown_query_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Unknown parameter: dry_run"):
        read_upload({"filename": "leads.csv"}, query={"dry_run": "true"})
