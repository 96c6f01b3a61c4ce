"""Serve GET /api/v1/leads/import/history and …/{id}."""

import re

import pytest

from tests.integration.imports.test_import_leads import assert_problem
from tests.support.service import Caller, Service

ROUTE = "/api/v1/leads/import/history"
CSV = "name,phone,source\nA,0612345678,web\n"


def test_import_details_have_every_field(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, CSV + ",1,x\n", filename="leads_2024.csv")
    times = {"createdAt", "startedAt", "finishedAt"}
    for time in times:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", job[time]), job[time]
    assert f"/reports/{caller.org}/{job['id']}/not_imported.csv?" in job["reportUrl"]
    assert {name: value for name, value in job.items() if name not in times | {"id", "reportUrl"}} == {
        "filename": "leads_2024.csv",
        "status": "COMPLETED",
        "mergeStrategy": "SKIP",
        "dryRun": False,
        "totalRows": 2,
        "successCount": 1,
        "errorCount": 1,
        "skippedCount": 0,
        "processedRows": 2,
        "ignoredColumns": [],
        "failureReason": None,
        "errorReport": "Row 3: Name is required\nRow 3: Invalid source value: x\n",
        "createdBy": caller.user,
    }


def test_import_list_is_newest_first_without_error_reports(service: Service, caller: Caller) -> None:
    ids = [service.import_csv(caller, CSV)["id"] for _ in range(3)]
    answer = service.request("GET", ROUTE, caller)
    assert [job["id"] for job in answer.json] == ids[::-1]
    assert "errorReport" not in answer.json[0]
    assert "Link" not in answer.headers


def test_import_pages_follow_the_link_to_the_end(service: Service, caller: Caller) -> None:
    ids = [service.post_csv(caller, CSV) for _ in range(5)]
    query = {"limit": "2", "status": "pending"}
    seen = []
    while query:
        answer = service.request("GET", ROUTE, caller, query=query)
        seen.append([job["id"] for job in answer.json])
        link = re.fullmatch(rf'<{ROUTE}\?(.*)>; rel="next"', answer.headers.get("Link", ""))
        query = dict(pair.split("=") for pair in link[1].split("&")) if link else {}
    assert seen == [ids[:2:-1], ids[2:0:-1], ids[:1]]


def test_import_list_is_filtered_by_status(service: Service, caller: Caller) -> None:
    service.post_csv(caller, CSV)
    done = service.import_csv(caller, CSV)["id"]
    answer = service.request("GET", ROUTE, caller, query={"status": "COMPLETED"})
    assert [job["id"] for job in answer.json] == [done]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"limit": "0"}, "from 1 to 1000"),
        ({"limit": "1001"}, "from 1 to 1000"),
        ({"limit": "x"}, "from 1 to 1000"),
        ({"cursor": "x"}, "Link header"),
        ({"cursor": "'; DROP TABLE dossier --"}, "Link header"),
        ({"status": "DONE"}, "PENDING, PROCESSING, COMPLETED, FAILED"),
        ({"page": "2"}, "limit, cursor, status"),
    ],
)
def test_invalid_import_query_is_refused_with_allowed_ones(
    service: Service, caller: Caller, query: dict[str, str], word: str
) -> None:
    assert_problem(service.request("GET", ROUTE, caller, query=query), 400, word)


def test_import_of_another_organisation_is_not_found(service: Service, caller: Caller) -> None:
    job_id = service.import_csv(caller, CSV)["id"]
    other = Caller()
    assert_problem(service.request("GET", f"{ROUTE}/{job_id}", other), 404, str(job_id))
    assert service.request("GET", ROUTE, other).json == []


@pytest.mark.parametrize(
    ("id", "status"), [("abc", 400), ("1.5", 400), ("-1", 400), ("9" * 30, 404), ("0", 404)]
)
def test_invalid_import_id_is_refused_or_not_found(
    service: Service, caller: Caller, id: str, status: int
) -> None:
    assert_problem(service.request("GET", f"{ROUTE}/{id}", caller), status)
