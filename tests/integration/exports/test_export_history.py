"""Serve GET /api/v1/leads/export/history: which user exported which leads, and when."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.imports.test_import_leads import assert_problem
from tests.support.exports import ROUTE, asked, export_of, job_id, run_export, store
from tests.support.service import Caller, Service

HISTORY = f"{ROUTE}/history"


def test_export_history_has_user_filters_and_time(service: Service, caller: Caller) -> None:
    store(service, caller, status="WON", source="web")
    colleague = Caller(org=caller.org, role="PRO", user="bob@agency.example")
    query = {
        "status": "won",
        "source": "WEB",
        "startDate": "2024-01-15T10:30:00",
        "endDate": "9999-12-31T23:59:59",
        "columns": "phone,name",
        "format": "excel",
        "gzip": "true",
    }
    exported = service.request("GET", ROUTE, colleague, query=query).json
    (item,) = service.request("GET", HISTORY, caller).json
    for time in ("createdAt", "startedAt", "finishedAt"):
        moment = datetime.strptime(item.pop(time), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1), time
    assert exported["sizeBytes"] > 0
    assert item == {
        "id": exported["id"],
        "status": "COMPLETED",
        "filename": exported["filename"],
        "filters": {
            "status": "WON",
            "source": "WEB",
            "startDate": "2024-01-15T10:30:00",
            "endDate": "9999-12-31T23:59:59",
        },
        "columns": ["phone", "name"],
        "format": "excel",
        "gzip": True,
        "rowCount": 1,
        "sizeBytes": exported["sizeBytes"],
        "failureReason": None,
        "createdBy": "bob@agency.example",
    }


def test_export_history_has_pending_and_failed_exports(service: Service, caller: Caller) -> None:
    pending, failed = asked(service, caller), asked(service, caller)
    run_export(service, failed, seconds=-1)
    newest, oldest = service.request("GET", HISTORY, caller).json
    assert (oldest["id"], oldest["status"]) == (job_id(pending), "PENDING")
    assert (oldest["startedAt"], oldest["finishedAt"], oldest["failureReason"]) == (None, None, None)
    assert (newest["id"], newest["status"]) == (job_id(failed), "FAILED")
    assert newest["failureReason"] == export_of(service, caller, failed)["failureReason"]
    assert (newest["format"], newest["gzip"], newest["filters"]) == ("csv", False, {})


def test_export_pages_are_newest_first_to_the_end(service: Service, caller: Caller) -> None:
    ids = [job_id(asked(service, caller)) for _ in range(5)]
    query = {"limit": "2", "status": "pending"}
    seen = []
    while query:
        answer = service.request("GET", HISTORY, caller, query=query)
        seen.append([item["id"] for item in answer.json])
        link = re.fullmatch(rf'<{HISTORY}\?(.*)>; rel="next"', answer.headers.get("Link", ""))
        query = dict(pair.split("=") for pair in link[1].split("&")) if link else {}
    assert seen == [ids[:2:-1], ids[2:0:-1], ids[:1]]


def test_exactly_full_export_page_has_no_next_link(service: Service, caller: Caller) -> None:
    ids = [job_id(asked(service, caller)) for _ in range(2)]
    answer = service.request("GET", HISTORY, caller, query={"limit": "2"})
    assert [item["id"] for item in answer.json] == ids[::-1]
    assert "Link" not in answer.headers


def test_export_history_is_filtered_by_status(service: Service, caller: Caller) -> None:
    pending = job_id(asked(service, caller))
    done = service.request("GET", ROUTE, caller).json["id"]
    for status, id in (("completed", done), ("PENDING", pending)):
        answer = service.request("GET", HISTORY, caller, query={"status": status})
        assert [item["id"] for item in answer.json] == [id], status
    assert service.request("GET", HISTORY, caller, query={"status": "FAILED"}).json == []


def test_export_history_without_admin_role_is_refused(service: Service, caller: Caller) -> None:
    asked(service, caller)
    pro = Caller(org=caller.org, role="PRO")
    assert_problem(service.request("GET", HISTORY, pro), 403, "ADMIN")


def test_export_history_omits_other_organisations(service: Service, caller: Caller) -> None:
    asked(service, caller)
    assert service.request("GET", HISTORY, Caller()).json == []
    assert len(service.request("GET", HISTORY, caller).json) == 1


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"limit": "0"}, "from 1 to 1000"),
        ({"cursor": "'; DROP TABLE export_job --"}, "Link header"),
        ({"status": "DONE"}, "PENDING, PROCESSING, COMPLETED, FAILED"),
        ({"page": "2"}, "limit, cursor, status"),
    ],
)
def test_invalid_export_history_query_is_refused(
    service: Service, caller: Caller, query: dict[str, str], word: str
) -> None:
    assert_problem(service.request("GET", HISTORY, caller, query=query), 400, word)
