"""Read a request to import with a form: a file and its options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.domain.import_job import ImportOrder, ImportRequest
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import FieldError, FileTooLarge, InvalidRequest
from leads.web.import_requests import MAX_FILE_BYTES, read_import_request
from tests.unit.web.events import http_event

CSV = b"name,phone,source\nZo\xc3\xa9,06,web\n"
FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}
BROKEN_FORM = "The form cannot be read: the body is not complete multipart/form-data. Send the request again."

Part = tuple[str, bytes]


def form(*parts: Part, end: bytes = b"--xyz--\r\n") -> bytes:
    """Build the body of a form. A part is the text after `form-data; name=`, and its content."""
    return (
        b"".join(
            f"--xyz\r\nContent-Disposition: form-data; name={head}\r\n\r\n".encode() + content + b"\r\n"
            for head, content in parts
        )
        + end
    )


FILE: Part = ('"file"; filename="leads.csv"', CSV)


def read_form(*parts: Part, query: dict[str, str] | None = None) -> ImportRequest:
    return read_import_request(http_event(form(*parts), headers=FORM, query=query))


def refused_form(*parts: Part, query: dict[str, str] | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_form(*parts, query=query)
    return caught.value


def test_form_with_file_alone_skips_duplicates() -> None:
    assert read_form(FILE) == ImportRequest(ImportOrder("leads.csv", MergeStrategy.SKIP, False), CSV)


def test_form_options_before_or_after_the_file_are_read() -> None:
    order = ImportOrder("leads.csv", MergeStrategy.OVERWRITE, True)
    strategy, dry_run = ('"mergeStrategy"', b" overwrite\r\n"), ('"dryRun"', b"TRUE")
    assert read_form(strategy, dry_run, FILE) == ImportRequest(order, CSV)
    assert read_form(FILE, dry_run, strategy) == ImportRequest(order, CSV)


def test_form_options_in_the_query_are_read() -> None:
    request = read_form(
        FILE, query={"mergeStrategy": "CREATE_NEW", "dryRun": "true", "filename": "other.csv"}
    )
    assert request.order == ImportOrder("other.csv", MergeStrategy.CREATE_NEW, True)


def test_option_that_differs_between_query_and_form_is_refused() -> None:
    skip = ('"mergeStrategy"', b"SKIP")
    assert read_form(FILE, skip, query={"mergeStrategy": "SKIP"}).order.merge_strategy is MergeStrategy.SKIP
    error = refused_form(FILE, skip, query={"mergeStrategy": "OVERWRITE"})
    message = "mergeStrategy differs between the query and the form. Send it in one of them."
    assert error.errors == (FieldError("mergeStrategy", message),)


@pytest.mark.parametrize("parts", [(), (('"mergeStrategy"', b"SKIP"),)])
def test_form_without_file_is_refused(parts: tuple[Part, ...]) -> None:
    message = "The form has no file. Send it in the field named file."
    assert refused_form(*parts).errors == (FieldError("file", message),)


def test_form_with_empty_file_is_accepted() -> None:
    """The import refuses it, with a reason in the job."""
    assert read_form(('"file"; filename="a.csv"', b"")).content == b""


def test_form_with_a_repeated_field_is_refused() -> None:
    assert refused_form(FILE, FILE).errors == (FieldError("file", "The form has file twice. Send it once."),)
    strategy = ('"mergeStrategy"', b"SKIP")
    assert refused_form(FILE, strategy, strategy).errors == (
        FieldError("mergeStrategy", "The form has mergeStrategy twice. Send it once."),
    )


def test_form_filename_field_overrides_the_file_name() -> None:
    assert read_form(FILE, ('"filename"', b"other.csv")).order.filename == "other.csv"


@pytest.mark.parametrize("name", ["strategy", "File", "dry_run"])
def test_unknown_form_field_is_refused_with_allowed_ones(name: str) -> None:
    message = f"Unknown parameter: {name}. Allowed: file, mergeStrategy, dryRun, filename"
    assert refused_form(FILE, (f'"{name}"', b"x")).errors == (FieldError(name, message),)


def test_unknown_query_parameter_is_refused_with_allowed_ones() -> None:
    message = "Unknown parameter: strategy. Allowed: mergeStrategy, dryRun, filename"
    assert refused_form(FILE, query={"strategy": "SKIP"}).errors == (FieldError("strategy", message),)


def test_unknown_strategy_is_refused_with_allowed_ones() -> None:
    message = "Invalid mergeStrategy value: MERGE. Allowed: SKIP, OVERWRITE, CREATE_NEW"
    assert str(refused_form(FILE, ('"mergeStrategy"', b"MERGE"))) == message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        CSV,
        form(FILE, end=b""),
        form(FILE)[:60],
        form(FILE).replace(b"xyz", b"abc"),
        form(FILE, ('"dryRun"', b"\xff")),
        form(FILE, ('"dryRun"\r\nContent-Type: text/plain; charset=no-such', b"true")),
        form(FILE, ('"dryRun"\r\nContent-Type: text/plain; charset=base64', b"true")),
        form(FILE, ('"dryRun"\r\nX: ' + "x" * 5000, b"true")),
        form(*[('"x' + "x" * 5000 + '"', b"")]),
    ],
    ids=[
        "empty",
        "no form",
        "without its end",
        "cut off",
        "another boundary",
        "no UTF-8",
        "unknown charset",
        "a codec that is no charset",
        "endless header",
        "endless name",
    ],
)
def test_broken_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_import_request(http_event(body, headers=FORM))
    assert str(caught.value) == BROKEN_FORM


@pytest.mark.parametrize("boundary", ["é", "a" * 5000, "\\", '"\u2028"'])
def test_boundary_that_is_not_in_the_body_is_refused(boundary: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    with pytest.raises(InvalidRequest):
        read_import_request(http_event(form(FILE), headers=headers))


def test_form_without_boundary_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="has no boundary"):
        read_import_request(http_event(form(FILE), headers={"Content-Type": "multipart/form-data"}))


@given(st.binary(max_size=200), st.integers(0, 150))
def test_form_with_garbage_is_read_or_refused(garbage: bytes, at: int) -> None:
    """No body may cause an internal error."""
    body = form(FILE, ('"mergeStrategy"', b"SKIP"))
    refusal = "read"
    try:
        read_import_request(http_event(body[:at] + garbage + body[at:], headers=FORM))
    except (InvalidRequest, FileTooLarge) as error:
        refusal = str(error)
    assert refusal


def test_form_file_over_4_mib_is_refused() -> None:
    content = b"x" * MAX_FILE_BYTES
    assert read_form(('"file"; filename="a.csv"', content)).content == content
    with pytest.raises(FileTooLarge):
        read_form(('"file"; filename="a.csv"', content + b"x"))
