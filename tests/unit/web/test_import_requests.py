"""Read a request to import with a bare file, and the file's name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.domain.filename import clean_filename
from leads.domain.import_job import ImportOrder, ImportRequest
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import FileTooLarge, InvalidRequest, UnsupportedMediaType
from leads.web.import_requests import MAX_FILE_BYTES, read_import_request
from tests.unit.web.events import http_event

CSV = b"name,phone,source\nZo\xc3\xa9,06,web\n"
BARE = {"Content-Type": "application/octet-stream"}


def read_bare(headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> ImportRequest:
    return read_import_request(http_event(CSV, headers=BARE | (headers or {}), query=query))


@pytest.mark.parametrize(
    "media_type",
    [
        "application/octet-stream",
        "text/csv",
        "text/csv; charset=utf-8",
        "Text/Plain",
        "application/vnd.ms-excel",
    ],
)
def test_bare_body_is_the_file(media_type: str) -> None:
    request = read_import_request(http_event(CSV, headers={"Content-Type": media_type}))
    assert request == ImportRequest(ImportOrder("upload.csv", MergeStrategy.SKIP, False), CSV)


def test_text_body_is_the_file_in_utf_8() -> None:
    assert read_import_request(http_event(CSV.decode(), headers={"Content-Type": "text/csv"})).content == CSV


def test_text_body_with_lost_characters_is_refused_with_advice() -> None:
    """The gateway replaces bytes that are not UTF-8. A real U+FFFD in a binary body is accepted."""
    text = "name,phone,source\nZo\ufffd,06,web\n"
    with pytest.raises(
        InvalidRequest, match="Content-Type: application/octet-stream, or as multipart/form-data"
    ):
        read_import_request(http_event(text, headers={"Content-Type": "text/csv"}))
    assert read_import_request(http_event(text.encode(), headers=BARE)).content == text.encode()


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": ""}, {"Content-Type": "application/json"}, {"Content-Type": "é"}]
)
def test_body_of_another_type_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(UnsupportedMediaType, match="multipart/form-data with a field named file"):
        read_import_request(http_event(CSV, headers=headers))


def test_body_of_invalid_base64_is_refused() -> None:
    event = http_event(CSV, headers=BARE)
    event.raw_event["body"] = "not base64!"
    with pytest.raises(InvalidRequest, match="body was damaged"):
        read_import_request(event)


@pytest.mark.parametrize(
    ("header", "filename"),
    [
        ('attachment; filename="mes leads.csv"', "mes leads.csv"),
        ("attachment; filename=leads.csv", "leads.csv"),
        ('attachment; filename="C:\\\\Users\\\\ana\\\\leads.csv"', "leads.csv"),
        ("attachment", "upload.csv"),
        ("", "upload.csv"),
        (";;;===", "upload.csv"),
    ],
)
def test_bare_file_is_named_by_content_disposition(header: str, filename: str) -> None:
    assert read_bare({"Content-Disposition": header}).order.filename == filename


def test_filename_in_query_precedes_the_header() -> None:
    """The parameter filename wins over Content-Disposition."""
    headers = {"Content-Disposition": "attachment; filename=header.csv"}
    assert read_bare(headers, {"filename": "query.csv"}).order.filename == "query.csv"


def test_bare_file_over_4_mib_is_refused_with_uploads_route() -> None:
    assert MAX_FILE_BYTES == 4 * 1024 * 1024
    content = b"x" * MAX_FILE_BYTES
    assert read_import_request(http_event(content, headers=BARE)).content == content
    with pytest.raises(FileTooLarge) as caught:
        read_import_request(http_event(content + b"x", headers=BARE))
    assert str(caught.value) == (
        "The file has 4,194,305 bytes; a request may have 4,194,304. "
        "Nothing was imported; send the file through POST /api/v1/leads/import/uploads."
    )


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("leads 2024.csv", "leads 2024.csv"),
        ("/home/ana/../leads.csv", "leads.csv"),
        ("C:\\Users\\ana\\leads.csv", "leads.csv"),
        ("le\x00a\x1bd\r\ns\x7f.csv", "leads.csv"),
        ("\u202evsc.sdael", "vsc.sdael"),
        ("a\u2066b\u200bc\ufeff.csv", "abc.csv"),
        ("prénoms d\u2019été 😀.csv", "prénoms d\u2019été 😀.csv"),
        ("  leads.csv ", "leads.csv"),
        ("x" * 300, "x" * 255),
        ("", "upload.csv"),
        ("folder/", "upload.csv"),
        ("\u202e", "upload.csv"),
        ("\ud800.csv", ".csv"),
    ],
)
def test_filename_loses_folders_and_invisible_characters(name: str, cleaned: str) -> None:
    assert clean_filename(name) == cleaned


@given(st.text())
def test_any_filename_is_printable_and_storable(name: str) -> None:
    cleaned = clean_filename(name)
    assert 1 <= len(cleaned) <= 255
    assert cleaned.isprintable()
    assert not set(cleaned) & set("/\\")
    assert cleaned.strip() == cleaned or len(cleaned) == 255
