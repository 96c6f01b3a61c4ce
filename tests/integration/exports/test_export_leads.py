"""Serve GET /api/v1/leads/export: its leads, columns, format and record."""

import csv
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from leads.domain.lead_filter import DEFAULT_COLUMNS, EXPORT_COLUMNS
from leads.errors import DatabaseFault, ServiceFault
from leads.postgres.connection import Transaction
from leads.s3.bucket import Bucket
from tests.integration.imports.test_import_leads import assert_problem
from tests.support.exports import ROUTE, names, store
from tests.support.service import Caller, Service


def test_export_redirects_to_the_named_file(service: Service, caller: Caller) -> None:
    store(service, caller)
    answer = service.request("GET", ROUTE, caller)
    assert answer.status == 303
    assert answer.headers["Location"] == answer.json["url"]
    assert answer.headers["Cache-Control"] == "no-store"
    filename = answer.json["filename"]
    made = datetime.strptime(filename, "leads_export_%Y%m%d_%H%M%S.csv").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - made) < timedelta(minutes=1)
    query = parse_qs(urlsplit(answer.json["url"]).query)
    assert query["response-content-disposition"] == [f'attachment; filename="{filename}"']
    assert query["X-Amz-Expires"] == ["900"]
    with urlopen(answer.json["url"]) as download:  # noqa: S310 (the S3 emulator's)
        content = download.read()
    assert (answer.json["rowCount"], answer.json["sizeBytes"]) == (1, len(content))
    assert content.decode().splitlines()[0] == ",".join(DEFAULT_COLUMNS)


def test_export_with_accept_json_is_json(service: Service, caller: Caller) -> None:
    answer = service.request("GET", ROUTE, caller, headers={"Accept": "application/json"})
    assert answer.status == 200
    assert {"id", "status", "url", "filename", "rowCount", "sizeBytes", "expiresAt"} == answer.json.keys()
    assert answer.json["status"] == "COMPLETED"


def test_export_without_leads_is_a_header_line(service: Service, caller: Caller) -> None:
    assert service.export_csv(caller, columns="phone,id") == "phone,id\n"


def test_export_writes_every_column(service: Service, caller: Caller) -> None:
    moment = datetime(2024, 1, 15, 10, 30, 0, 999_999, tzinfo=UTC)
    texts = {name: f"{name}, é" for name in EXPORT_COLUMNS[11:]} | {"created_by": "a@x", "updated_by": "=b"}
    store(
        service,
        caller,
        name='=HYPERLINK("x")',
        phone="+33 6 12 34 56 78",
        email="@x",
        source="walk_in",
        lead_source="-1+2",
        status="APPOINTMENT",
        score=7,
        notes='a "quoted"\r\nline',
        created_at=moment,
        updated_at=moment,
        **texts,
    )
    text = service.export_csv(caller, columns=",".join(EXPORT_COLUMNS))
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["id"].isdigit()
    assert row | {"id": ""} == {
        "id": "",
        "name": '\'=HYPERLINK("x")',
        "phone": "+33 6 12 34 56 78",
        "email": "'@x",
        "source": "walk_in",
        "lead_source": "'-1+2",
        "status": "APPOINTMENT",
        "score": "7",
        "notes": 'a "quoted"\r\nline',
        "created_at": "2024-01-15T10:30:00",
        "updated_at": "2024-01-15T10:30:00",
        **texts,
        "updated_by": "'=b",
    }


def test_export_filters_select_leads(service: Service, caller: Caller) -> None:
    start = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    for name, status, source, seconds in [
        ("before", "NEW", "web", -0.001),
        ("first", "NEW", "web", 0),
        ("won", "WON", "web", 1),
        ("phoned", "NEW", "phone", 2),
        ("last", "NEW", "web", 10.999),
        ("after", "NEW", "web", 11),
    ]:
        created = start + timedelta(seconds=seconds)
        store(service, caller, name=name, status=status, source=source, created_at=created)
    span = {"startDate": "2024-01-15T10:30:00", "endDate": "2024-01-15T10:30:10"}
    assert names(service.export_csv(caller, **span)) == ["first", "won", "phoned", "last"]
    assert names(service.export_csv(caller, **span, status="new", source="Web")) == ["first", "last"]
    assert names(service.export_csv(caller, status="WON")) == ["won"]
    assert names(service.export_csv(caller, source="PHONE")) == ["phoned"]
    assert names(service.export_csv(caller, startDate=span["endDate"])) == ["last", "after"]
    assert names(service.export_csv(caller, endDate="9999-12-31T23:59:59", source="PHONE")) == ["phoned"]


def test_export_rows_are_by_date_then_id(service: Service, caller: Caller) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    for name, days in [("c", 2), ("a", 0), ("b1", 1), ("b2", 1)]:
        store(service, caller, name=name, created_at=moment + timedelta(days=days))
    assert names(service.export_csv(caller)) == ["a", "b1", "b2", "c"]


def test_export_omits_other_organisations(service: Service, caller: Caller) -> None:
    store(service, Caller(), name="Theirs")
    store(service, caller, name="Ours")
    assert names(service.export_csv(caller)) == ["Ours"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"status": "OPEN"}, "NEW, QUALIFYING, QUALIFIED, APPOINTMENT, WON, DRAFT, LOST"),
        ({"status": ""}, "NEW, QUALIFYING"),
        ({"source": "fax"}, "WEB, MOBILE, PHONE, EMAIL, REFERRAL, WALK_IN, SOCIAL_MEDIA, UNKNOWN"),
        ({"startDate": "2024-01-15"}, "yyyy-MM-dd'T'HH:mm:ss"),
        ({"startDate": "2024-02-30T00:00:00"}, "There is no such day or time."),
        ({"endDate": "2024-1-15T10:30:0"}, "yyyy-MM-dd'T'HH:mm:ss"),
        (
            {"startDate": "2024-01-02T00:00:00", "endDate": "2024-01-01T00:00:00"},
            "startDate is after endDate",
        ),
        ({"columns": "name,org_id"}, "org_id"),
        ({"columns": ""}, "annonce_id"),
        ({"columns": "name,name"}, "once"),
        ({"columns": "name); DROP TABLE dossier; --"}, "Unknown column"),
        ({"format": "xlsx"}, "CSV, EXCEL"),
        ({"format": ""}, "CSV, EXCEL"),
        ({"gzip": "1"}, "true, false"),
        ({"gzip": ""}, "true, false"),
        ({"Status": "NEW"}, "status, source, startDate, endDate, columns, format, gzip"),
    ],
)
def test_mistyped_export_request_is_refused(
    service: Service, caller: Caller, query: dict[str, str], words: str
) -> None:
    assert_problem(service.request("GET", ROUTE, caller, query=query), 400, words)
    assert service.keys(f"exports/{caller.org}/") == []


def test_export_is_recorded(service: Service, caller: Caller) -> None:
    store(service, caller)
    answer = service.request("GET", ROUTE, caller, query={"status": "new", "columns": "id,name"})
    with service.owner() as connection:
        (record,) = connection.query_dicts("SELECT * FROM export_job WHERE org_id = :org", org=caller.org)
    assert {
        name: record[name] for name in ("id", "status", "filters", "columns", "row_count", "created_by")
    } == {
        "id": answer.json["id"],
        "status": "COMPLETED",
        "filters": {"status": "NEW"},
        "columns": ["id", "name"],
        "row_count": 1,
        "created_by": caller.user,
    }


def test_large_export_is_uploaded_in_parts(service: Service, caller: Caller) -> None:
    with service.owner() as connection:
        connection.query(
            "INSERT INTO dossier (org_id, name, phone, notes) "
            "SELECT :org, 'L' || n, '06', repeat('x', 1000) FROM generate_series(1, 12000) AS n",
            org=caller.org,
        )
    text = service.export_csv(caller)
    assert names(text) == [f"L{n}" for n in range(1, 12001)]
    assert len(text) > 2 * 5 * 1024 * 1024


def test_failed_export_leaves_no_object_and_no_part(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller)

    def refuse(*_: object) -> None:
        raise ServiceFault("S3 did not store it")

    monkeypatch.setattr(Bucket, "put", refuse)
    assert_problem(service.request("GET", ROUTE, caller), 500, "An internal error occurred")
    assert service.keys(f"exports/{caller.org}/") == []
    with service.owner() as connection:
        assert (
            connection.query_value("SELECT status FROM export_job WHERE org_id = :org", org=caller.org)
            == "FAILED"
        )


def test_export_that_cannot_be_recorded_leaves_no_object(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller)
    commit = Transaction.commit
    commits = iter(range(100))

    def lose_the_second(transaction: Transaction) -> None:
        if next(commits) == 1:
            raise DatabaseFault(None)
        commit(transaction)

    monkeypatch.setattr(Transaction, "commit", lose_the_second)
    assert_problem(service.request("GET", ROUTE, caller), 500, "An internal error occurred")
    assert service.keys(f"exports/{caller.org}/") == []
