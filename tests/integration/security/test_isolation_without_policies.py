"""Check that the statements' own filters keep organisations apart without row-level security.

The service runs as the tables' owner, and no policy applies to the owner.
test_isolation.py checks the opposite: statements without the filter, under the policies.
"""

import csv
import io

import pytest

from leads.domain.export_job import ExportOrder
from leads.domain.failure_code import FailureCode
from leads.domain.job_page import JobPage
from leads.domain.job_ref import export_ref, import_ref
from leads.domain.lead_filter import LeadFilter
from leads.domain.merge_strategy import MergeStrategy
from leads.domain.principal import Principal, Role
from leads.errors import NotFound
from leads.jobs.stores import Stores
from leads.postgres.connection import Database
from leads.postgres.export_jobs import claim_export_job, fail_export_job
from leads.postgres.idempotency import create_keyed_import_job, restart_import_job
from leads.postgres.import_jobs import (
    NewImportJob,
    claim_import_job,
    fail_import_job,
    get_import_job,
    record_progress,
)
from leads.use_cases.export_leads import export_leads, get_export, list_exports
from leads.use_cases.import_history import get_import, list_imports
from leads.use_cases.process_import import process_import
from tests.support.service import Caller, Service, database_settings

CSV = "name,phone,source\nTheirs,0612345678,web\n"


@pytest.fixture
def unguarded(service: Service) -> Database:
    """Return the database without policies."""
    database = Database(
        database_settings(service.postgres, "leads_owner", service.postgres.owner_password), "test"
    )
    with database.connect() as connection:
        assert connection.query_value("SELECT row_security_active('dossier')") is False
    return database


@pytest.fixture
def theirs(service: Service) -> Caller:
    """Return another organisation with a lead, an import and an export."""
    caller = Caller()
    assert service.import_csv(caller, CSV)["successCount"] == 1
    return caller


def principal(caller: Caller) -> Principal:
    return Principal(caller.org, Role.ADMIN, caller.user)


def export(service: Service, caller: Caller, database: Database) -> tuple[int, str]:
    view = export_leads(
        principal(caller),
        ExportOrder(LeadFilter()),
        Stores(database, service.bucket_of("export_leads")),
        wait=20,
    )
    (key,) = service.keys(f"exports/{caller.org}/{view.job.id}/")
    content = service.s3.client.get_object(Bucket=service.bucket, Key=key)["Body"].read().decode()
    return view.job.id, content


@pytest.mark.parametrize("strategy", ["SKIP", "OVERWRITE", "CREATE_NEW"])
def test_import_of_a_phone_of_another_organisation_adds_a_lead(
    service: Service, caller: Caller, theirs: Caller, unguarded: Database, strategy: str
) -> None:
    before = service.leads(theirs)
    job_id = service.post_csv(caller, CSV.replace("Theirs", "Own"), strategy)
    file = service.version(f"imports/{caller.org}/{job_id}/upload.csv")
    outcome = process_import(file, Stores(unguarded, service.bucket_of("process_import")), seconds=300)
    assert (outcome.counts.success, outcome.counts.skipped) == (1, 0)
    assert [lead["name"] for lead in service.leads(caller)] == ["Own"]
    assert service.leads(theirs) == before


def test_export_holds_leads_of_its_organisation_only(
    service: Service, caller: Caller, theirs: Caller, unguarded: Database
) -> None:
    service.import_csv(caller, CSV.replace("Theirs", "Own"))
    _, content = export(service, caller, unguarded)
    assert [row["name"] for row in csv.DictReader(io.StringIO(content))] == ["Own"]


def test_histories_list_jobs_of_their_organisation_only(
    service: Service, caller: Caller, theirs: Caller, unguarded: Database
) -> None:
    their_export, _ = export(service, theirs, unguarded)
    stores = Stores(unguarded, service.bucket_of("import_history"))
    page = JobPage(limit=9)
    their_imports, _ = list_imports(principal(theirs), page, stores)
    their_import = their_imports[0].job.id
    own = principal(caller)
    assert list_imports(own, page, stores)[0] == []
    assert list_exports(own, page, stores)[0] == []
    with pytest.raises(NotFound):
        get_import(own, their_import, stores)
    with pytest.raises(NotFound):
        get_export(own, their_export, stores)


def test_job_of_another_organisation_is_not_changed(
    service: Service, caller: Caller, theirs: Caller, unguarded: Database
) -> None:
    """It is not claimed, its progress is not written, and it is not failed."""
    their_import = service.post_csv(theirs, CSV)
    answer = service.request("GET", "/api/v1/leads/export", theirs, headers={"Prefer": "respond-async"})
    their_export = answer.json["id"]
    with unguarded.connect() as connection:
        claimed = claim_import_job(
            connection, import_ref(caller.org, their_import), object_key="imports/x", object_version="1"
        )
        assert claimed is None
        assert claim_export_job(connection, export_ref(caller.org, their_export), request_version="1") is None
        record_progress(connection, caller.org, their_import, 7)
        fail_import_job(connection, caller.org, their_import, FailureCode.INTERNAL, "of another organisation")
        fail_export_job(connection, caller.org, their_export, FailureCode.INTERNAL, "of another organisation")
    job = service.job(theirs, their_import)
    assert (job["status"], job["processedRows"]) == ("PENDING", 0)
    export_now = service.request("GET", f"/api/v1/leads/export/{their_export}", theirs)
    assert export_now.json["status"] == "PENDING"


def test_idempotency_key_of_another_organisation_is_not_used(
    caller: Caller, theirs: Caller, unguarded: Database
) -> None:
    """It is not found, not released, and its job is not restarted."""

    def keyed(org_id: str, key: str) -> int:
        new = NewImportJob(org_id, "x.csv", MergeStrategy.SKIP, dry_run=False, created_by="x")
        with unguarded.connect() as connection:
            return create_keyed_import_job(connection, new, key, None).id

    their_old, their_failed = keyed(theirs.org, "old"), keyed(theirs.org, "failed")
    with unguarded.connect() as connection:
        connection.query(
            "UPDATE import_job SET created_at = now() - interval '2 days' WHERE id = :id", id=their_old
        )
        fail_import_job(connection, theirs.org, their_failed, FailureCode.NOT_STORED, "x")
        assert {keyed(caller.org, "old"), keyed(caller.org, "failed")}.isdisjoint({their_old, their_failed})
        assert not restart_import_job(connection, caller.org, their_failed, FailureCode.NOT_STORED)
        stored = "SELECT idempotency_key FROM import_job WHERE id = :id"
        assert connection.query_value(stored, id=their_old) == "old"
        job = get_import_job(connection, theirs.org, their_failed)
    assert job is not None
    assert job.status == "FAILED"
