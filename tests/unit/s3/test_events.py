"""An event yields its objects, with their keys decoded."""

from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.s3.events import StoredFile, stored_files


def event(*objects: dict[str, Any]) -> dict[str, Any]:
    return {"Records": [{"eventSource": "aws:s3", "s3": {"object": one}} for one in objects]}


def test_objects_are_returned_in_the_order_of_the_event() -> None:
    files = stored_files(
        event({"key": "drop/acme/b.csv", "versionId": "v2"}, {"key": "a", "versionId": "v1"})
    )
    assert files == [StoredFile("drop/acme/b.csv", "v2"), StoredFile("a", "v1")]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("drop/acme/Mes+leads+%C3%A9t%C3%A9.csv", "drop/acme/Mes leads été.csv"),
        ("drop/acme/1%2B1%25.csv", "drop/acme/1+1%.csv"),
        ("drop%2Facme%2Fa.csv", "drop/acme/a.csv"),
    ],
)
def test_key_is_decoded_as_s3_encodes_it(written: str, key: str) -> None:
    assert stored_files(event({"key": written, "versionId": "v"})) == [StoredFile(key, "v")]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda key: key[-1] != "/"))
def test_any_key_is_decoded(key: str) -> None:
    written = quote_plus(key, safe="/")
    assert stored_files(event({"key": written, "versionId": "v"})) == [StoredFile(key, "v")]


@pytest.mark.parametrize("version", [{}, {"versionId": None}, {"versionId": ""}])
def test_object_without_a_version_has_the_version_null(version: dict[str, Any]) -> None:
    assert stored_files(event({"key": "a.csv"} | version)) == [StoredFile("a.csv", "null")]


@pytest.mark.parametrize(
    ("size", "known"), [({"size": 220}, 220), ({}, 0), ({"size": None}, 0), ({"size": "9"}, 0)]
)
def test_size_is_that_of_the_event_or_0(size: dict[str, Any], known: int) -> None:
    assert stored_files(event({"key": "a.csv", "versionId": "v"} | size)) == [StoredFile("a.csv", "v", known)]


@pytest.mark.parametrize("key", ["drop/", "drop/acme/", "drop/acme%2F", "export-requests/acme/"])
def test_folder_markers_are_left_out(key: str) -> None:
    assert stored_files(event({"key": key}, {"key": "a.csv", "versionId": "v"})) == [StoredFile("a.csv", "v")]


@pytest.mark.parametrize(
    "empty", [{}, {"Records": []}, {"Records": None}, {"Service": "Amazon S3", "Event": "s3:TestEvent"}]
)
def test_event_without_records_has_no_objects(empty: dict[str, Any]) -> None:
    assert stored_files(empty) == []
