"""Read the parameters of an export: a mistyped filter must never export everything."""

from datetime import datetime

import pytest

from leads.domain.export_job import ExportOrder
from leads.domain.lead import LeadSource, LeadStatus
from leads.domain.lead_filter import DEFAULT_COLUMNS, EXPORT_COLUMNS, LeadFilter
from leads.errors import InvalidRequest
from leads.web.export_requests import read_export_request


def refusal(query: dict[str, str], field: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_export_request(query)
    assert [error.field for error in caught.value.errors] == [field]
    assert caught.value.errors[0].message == str(caught.value)
    return str(caught.value)


def test_export_request_without_parameters_selects_every_lead() -> None:
    assert read_export_request({}) == ExportOrder(LeadFilter(), DEFAULT_COLUMNS, excel=False, gzip=False)


def test_export_request_reads_every_condition() -> None:
    order = read_export_request(
        {
            "status": "won",
            "source": "Social_Media",
            "startDate": "2024-01-15T10:30:00",
            "endDate": "2024-01-31T23:59:59",
            "columns": "phone, name,id",
        }
    )
    assert order.leads == LeadFilter(
        LeadStatus.WON,
        LeadSource.SOCIAL_MEDIA,
        start=datetime(2024, 1, 15, 10, 30),
        end=datetime(2024, 1, 31, 23, 59, 59),
    )
    assert order.columns == ("phone", "name", "id")


@pytest.mark.parametrize(
    "status", ["NEW", "QUALIFYING", "QUALIFIED", "APPOINTMENT", "WON", "DRAFT", "LOST", "new", "Lost"]
)
def test_lead_status_in_any_case_is_accepted(status: str) -> None:
    assert read_export_request({"status": status}).leads.status is LeadStatus(status.upper())


@pytest.mark.parametrize(
    "source",
    ["WEB", "MOBILE", "PHONE", "EMAIL", "REFERRAL", "WALK_IN", "SOCIAL_MEDIA", "UNKNOWN", "web", "Email"],
)
def test_lead_source_in_any_case_is_accepted(source: str) -> None:
    assert read_export_request({"source": source}).leads.source is LeadSource(source.lower())


@pytest.mark.parametrize("text", ["", "OPEN", "NEW,WON"])
def test_unknown_lead_status_is_refused_with_allowed_ones(text: str) -> None:
    assert refusal({"status": text}, "status") == (
        f"Invalid status value: {text or '(empty)'}. "
        "Allowed: NEW, QUALIFYING, QUALIFIED, APPOINTMENT, WON, DRAFT, LOST"
    )


def test_unknown_lead_source_is_refused_with_allowed_ones() -> None:
    assert refusal({"source": "fax"}, "source") == (
        "Invalid source value: fax. "
        "Allowed: WEB, MOBILE, PHONE, EMAIL, REFERRAL, WALK_IN, SOCIAL_MEDIA, UNKNOWN"
    )


@pytest.mark.parametrize("name", ["statuses", "Status", "start_date", "limit", ""])
def test_unknown_parameter_is_refused_with_allowed_ones(name: str) -> None:
    assert refusal({name: "x"}, name).startswith(
        f"Unknown parameter: {name}. Allowed: status, source, startDate"
    )


@pytest.mark.parametrize("field", ["startDate", "endDate"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-01-15",
        "2024-01-15 10:30:00",
        "2024-01-15T10:30",
        "2024-01-15T10:30:00Z",
        "2024-01-15T10:30:00+01:00",
        "2024-1-5T1:3:0",
        "15/01/2024 10:30:00",
        "\u0662\u0660\u0662\u0664-01-15T10:30:00",
        "x" * 200,
    ],
)
def test_time_in_another_format_is_refused(field: str, text: str) -> None:
    assert refusal({field: text}, field) == (
        f"Invalid {field} value: {text[:100] or '(empty)'}. "
        "Send it as yyyy-MM-dd'T'HH:mm:ss in UTC, such as 2024-01-15T10:30:00"
    )


@pytest.mark.parametrize("field", ["startDate", "endDate"])
@pytest.mark.parametrize(
    "text", ["2024-02-30T10:30:00", "2024-01-15T24:00:00", "2024-01-15T10:30:60", "0000-01-01T00:00:00"]
)
def test_time_that_does_not_exist_is_refused(field: str, text: str) -> None:
    assert refusal({field: text}, field) == f"Invalid {field} value: {text}. There is no such day or time."


def test_start_after_end_is_refused() -> None:
    query = {"startDate": "2024-01-15T10:30:01", "endDate": "2024-01-15T10:30:00"}
    assert refusal(query, "startDate") == "startDate is after endDate. Correct one of them."


def test_start_equal_to_end_is_accepted() -> None:
    query = {"startDate": "2024-01-15T10:30:00", "endDate": "2024-01-15T10:30:00"}
    leads = read_export_request(query).leads
    assert leads.start == leads.end == datetime(2024, 1, 15, 10, 30)


def test_every_column_is_accepted() -> None:
    assert read_export_request({"columns": ",".join(EXPORT_COLUMNS)}).columns == EXPORT_COLUMNS


@pytest.mark.parametrize(
    ("columns", "listed"),
    [
        ("name,org_id", "org_id"),
        ("phone_key,name,x", "phone_key, x"),
        ("", "(empty)"),
        ("name,", "(empty)"),
        ("Name", "Name"),
        ("name;phone", "name;phone"),
    ],
)
def test_unknown_column_is_refused_with_allowed_ones(columns: str, listed: str) -> None:
    message = f"Unknown column: {listed}. Allowed: {', '.join(EXPORT_COLUMNS)}"
    assert refusal({"columns": columns}, "columns") == message


def test_repeated_column_is_refused() -> None:
    assert (
        refusal({"columns": "name,phone,name"}, "columns") == "Repeated column: name. Name each column once."
    )


@pytest.mark.parametrize(
    ("query", "excel", "gzip"),
    [
        ({}, False, False),
        ({"format": "csv", "gzip": "false"}, False, False),
        ({"format": "Excel"}, True, False),
        ({"gzip": "TRUE"}, False, True),
        ({"format": "excel", "gzip": "true"}, True, True),
    ],
)
def test_format_and_gzip_are_read(query: dict[str, str], excel: bool, gzip: bool) -> None:
    order = read_export_request(query)
    assert (order.excel, order.gzip) == (excel, gzip)


def test_unknown_format_is_refused_with_allowed_ones() -> None:
    assert refusal({"format": "xlsx"}, "format") == "Invalid format value: xlsx. Allowed: CSV, EXCEL"
    assert refusal({"gzip": "1"}, "gzip") == "Invalid gzip value: 1. Allowed: true, false"
