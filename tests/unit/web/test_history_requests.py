"""Read the page, the cursor and the job id of the histories."""

import base64
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leads.domain.job_page import JobPage
from leads.domain.job_status import JobStatus
from leads.errors import InvalidRequest, NotFound
from leads.web.history_requests import HISTORY_PATH, next_link, read_history_request, read_job_id

LARGEST_ID = 2**63 - 1
BAD_CURSOR = "Invalid cursor. Use the one in the Link header of the previous page."


def refusal(query: dict[str, str]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_history_request(query)
    assert [error.field for error in caught.value.errors] == list(query)
    return str(caught.value)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_history_request_without_parameters_is_first_1000_jobs() -> None:
    assert read_history_request({}) == JobPage(limit=1000, before=None, status=None)


@pytest.mark.parametrize(("limit", "number"), [("1", 1), ("1000", 1000), ("0050", 50)])
def test_limit_up_to_1000_is_accepted(limit: str, number: int) -> None:
    assert read_history_request({"limit": limit}).limit == number


@pytest.mark.parametrize("limit", ["", "0", "1001", "-1", "1.5", "ten", "\u0661", "5\n", "9" * 5000])
def test_invalid_limit_is_refused(limit: str) -> None:
    assert refusal({"limit": limit}) == "limit must be a number from 1 to 1000."


@pytest.mark.parametrize("status", ["FAILED", "failed"])
def test_job_status_in_any_case_is_accepted(status: str) -> None:
    assert read_history_request({"status": status}).status is JobStatus.FAILED


def test_unknown_job_status_is_refused_with_allowed_ones() -> None:
    message = "Invalid status value: DONE. Allowed: PENDING, PROCESSING, COMPLETED, FAILED"
    assert refusal({"status": "DONE"}) == message


def test_unknown_parameter_is_refused_with_allowed_ones() -> None:
    assert refusal({"page": "2"}) == "Unknown parameter: page. Allowed: limit, cursor, status"


@given(st.integers(1, LARGEST_ID), st.integers(1, 1000), st.none() | st.sampled_from(JobStatus))
@example(LARGEST_ID, 1000, JobStatus.COMPLETED)
def test_next_link_requests_the_following_jobs(before: int, limit: int, status: JobStatus | None) -> None:
    link = next_link(HISTORY_PATH, JobPage(limit, None, status), before)["Link"]
    target, separator, relation = link.partition(">; ")
    assert (target[0], separator, relation) == ("<", ">; ", 'rel="next"')
    url = urlsplit(target[1:])
    assert url.path == "/api/v1/leads/import/history"
    assert read_history_request(dict(parse_qsl(url.query))) == JobPage(limit, before, status)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "a",
        "!",
        "5",
        "é",
        "\ud800",
        encoded(""),
        encoded("-1"),
        encoded("1 "),
        encoded("x"),
        encoded("\u0661"),
        encoded("9" * 20),
    ],
)
def test_foreign_cursor_is_refused(cursor: str) -> None:
    """The cursor was not created by next_link."""
    assert refusal({"cursor": cursor}) == BAD_CURSOR


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
@example(encoded("9" * 19))
def test_any_cursor_is_refused_or_fits_a_bigint(cursor: str) -> None:
    """Postgres refuses a larger id with an error, which would be a 500."""
    refusal, before = "", None
    try:
        before = read_history_request({"cursor": cursor}).before
    except InvalidRequest as error:
        refusal = str(error)
    if refusal:
        assert refusal == BAD_CURSOR
    else:
        assert before is not None
        assert 0 <= before <= LARGEST_ID


@pytest.mark.parametrize(("text", "id"), [("1", 1), ("007", 7), ("0", 0), (str(LARGEST_ID), LARGEST_ID)])
def test_job_id_that_is_a_number_is_read(text: str, id: int) -> None:
    assert read_job_id(text, "import") == id


@pytest.mark.parametrize("text", ["", "abc", "1a", "-1", "+1", "1.0", " 1", "1\n", "\u0661", "1_000"])
def test_job_id_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_job_id(text, "import")
    assert (
        str(caught.value)
        == "The import id must be a number. Use the id that the API returned for the import."
    )
    assert [error.field for error in caught.value.errors] == ["id"]


@pytest.mark.parametrize(
    "text", [str(LARGEST_ID + 1), "9" * 5000, "0" * 20 + "9" * 25, "0" * 5000 + "9" * 20]
)
def test_job_id_beyond_bigint_is_not_found(text: str) -> None:
    with pytest.raises(NotFound, match=r"^There is no import [0-9]{1,100}\.$"):
        read_job_id(text, "import")
