"""Check that a job stays without a link when the bucket's rules have deleted its file."""

import pytest

from tests.support.exports import ROUTE, announce_export, asked, export_of, job_id, store
from tests.support.service import Caller, Service

CSV = b"name,phone,source\nA,0612345678,web\n,1,web\n"
DAYS = 7
"""ResultDays of template.yaml."""


def age(service: Service, table: str, id: int, days: float) -> None:
    with service.owner() as connection:
        connection.query(
            f"UPDATE {table} SET finished_at = now() - :days * interval '1 day' WHERE id = :id",  # noqa: S608
            days=days,
            id=id,
        )


@pytest.mark.parametrize(
    ("days", "is_there"), [(DAYS - 0.1, True), (DAYS + 0.1, False)], ids=["stored", "expired"]
)
def test_import_whose_report_has_expired_has_no_link(
    service: Service, caller: Caller, days: float, is_there: bool
) -> None:
    id = service.import_csv(caller, CSV)["id"]
    age(service, "import_job", id, days)
    job = service.job(caller, id)
    assert (job["status"], job["errorCount"], job["reportUrl"] is not None) == ("COMPLETED", 1, is_there)


@pytest.mark.parametrize(
    ("days", "is_there"), [(DAYS - 0.1, True), (DAYS + 0.1, False)], ids=["stored", "expired"]
)
def test_export_whose_file_has_expired_has_no_link(
    service: Service, caller: Caller, days: float, is_there: bool
) -> None:
    store(service, caller)
    request = asked(service, caller)
    announce_export(service, request)
    age(service, "export_job", job_id(request), days)
    export = export_of(service, caller, request)
    assert (export["status"], export["rowCount"]) == ("COMPLETED", 1)
    assert [export[name] is not None for name in ("url", "expiresAt")] == [is_there, is_there]
    answer = service.request("GET", f"{ROUTE}/{job_id(request)}", caller)
    assert "Retry-After" not in answer.headers
