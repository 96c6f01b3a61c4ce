"""Check that the audit of `make soak` finds each kind of harm: a blind audit would prove nothing."""

import random
import time
from dataclasses import dataclass
from typing import Any, cast

import pytest

from leads.postgres.connection import Connection
from tests.soak import audit as module
from tests.soak.audit import audit
from tests.soak.files import make_file
from tests.soak.partner import Partner
from tests.support.fragile_stack import FragileStack
from tests.support.service import Caller, Service, database_settings

FILES = 6


@dataclass(frozen=True)
class _Answer:
    status: int
    body: Any

    def json(self) -> Any:
        return self.body


class _Client:
    """Send a partner's requests without HTTP."""

    def __init__(self, service: Service, org: str) -> None:
        self.org = org
        self._service = service

    def request(self, method: str, path: str, **_: object) -> _Answer:
        answer = self._service.request(method, path, Caller(org=self.org))
        return _Answer(answer.status, answer.json)


class _Stack:
    """Provide the parts of a stack that the audit reads, from the service in this process."""

    def __init__(self, service: Service) -> None:
        self.s3 = service.s3
        self.bucket = service.bucket
        self.owner = service.owner
        self._postgres = service.postgres

    def token(self, org: str) -> str:
        return org

    def superuser(self) -> Connection:
        password = self._postgres._passwords["postgres"]
        settings = database_settings(self._postgres, "postgres", password)
        return Connection(settings, "test")


@pytest.fixture
def stack(service: Service, monkeypatch: pytest.MonkeyPatch) -> FragileStack:
    monkeypatch.setattr(module, "QUIET", 1.0)
    return cast(FragileStack, _Stack(service))


@pytest.fixture
def partner(service: Service, stack: FragileStack) -> Partner:
    """Return a partner that has sent some files with each kind of row."""
    partner = Partner(stack, "audit", time.monotonic())
    partner.client = _Client(service, partner.client.org)  # type: ignore[assignment]
    choose = random.Random(7)  # noqa: S311 (the same files each time)
    while len(partner.jobs) < FILES:
        file = make_file(choose)
        if file.rows is None or len(file.rows) < 20:
            continue
        name = f"{len(partner.jobs)}.csv"
        service.announce(service.put(f"drop/{partner.client.org}/{file.strategy}/{name}", file.content))
        job, *_ = service.request("GET", "/api/v1/leads/import/history", Caller(org=partner.client.org)).json
        partner._apply(name, file, job, dropped=True)
    return partner


def found(stack: FragileStack, partner: Partner) -> list[str]:
    """Return the audit's findings about this partner. Other tests use the same server and bucket."""
    return [line for line in audit(stack, [partner]) if line.startswith(partner.client.org)]


def test_audit_of_undamaged_files_finds_nothing(stack: FragileStack, partner: Partner) -> None:
    assert found(stack, partner) == []
    sums = [sum(job.counts[n] for job in partner.jobs.values()) for n in range(3)]
    assert all(sums), "a kind of row is missing, so the tests below prove less"


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        ("DELETE FROM dossier WHERE id = :lead", "leads instead of"),
        ("DELETE FROM dossier WHERE id = :last", "leads instead"),
        (
            "INSERT INTO dossier (org_id, name, phone, source) SELECT org_id, name, phone, source "
            "FROM dossier WHERE id = :last",
            "leads instead of",
        ),
        ("UPDATE dossier SET notes = 'other' WHERE id = :lead", "they differ from lead 0 on"),
        (
            "UPDATE import_job SET success_count = success_count - 1, skipped_count = skipped_count + 1 "
            "WHERE id = :job",
            "COMPLETED with",
        ),
        (
            "UPDATE import_job SET success_count = success_count + 1, total_rows = total_rows + 1 "
            "WHERE id = :job",
            "COMPLETED with",
        ),
        ("UPDATE import_job SET report_key = NULL WHERE id = :job", "against its counts"),
        ("DELETE FROM import_job WHERE id = :job", f"{FILES - 1} jobs instead of {FILES}"),
        ("UPDATE import_job SET filename = 'x.csv' WHERE id = :job", f"jobs instead of {FILES}"),
    ],
    ids=[
        "a lost lead",
        "the last lead lost",
        "a lead stored twice",
        "a changed lead",
        "a row counted as another kind",
        "one row too many counted",
        "a report without a link",
        "a lost job",
        "a job of another file",
    ],
)
def test_audit_of_harm_to_the_database_finds_it(
    service: Service, stack: FragileStack, partner: Partner, harm: str, finding: str
) -> None:
    with service.owner() as owner:
        org = partner.client.org
        leads = owner.query("SELECT min(id), max(id) FROM dossier WHERE org_id = :org", org=org)
        (first, last), job = leads[0], partner.jobs["0.csv"].id
        places = {"lead": first, "last": last, "job": job}
        owner.query(harm, **{name: id for name, id in places.items() if f":{name}" in harm})
    wrong = found(stack, partner)
    assert wrong
    assert finding in wrong[0]


@pytest.mark.slow_fault
def test_audit_of_a_job_missing_in_the_api_finds_it(stack: FragileStack, partner: Partner) -> None:
    org, partner.client.org = partner.client.org, "another"
    client, id = partner.client, partner.jobs["0.csv"].id

    class ClientOfTwo:
        """Use this organisation's name and another one's token."""

        def __init__(self) -> None:
            self.org = org

        def request(self, *arguments: Any, **others: Any) -> Any:
            return client.request(*arguments, **others)

    partner.client = ClientOfTwo()  # type: ignore[assignment]
    wrong = found(stack, partner)
    assert len(wrong) == FILES
    assert any(line.startswith(f"{org}: import {id} is not shown") for line in wrong)


@pytest.mark.parametrize(
    ("folder", "finding"),
    [("reports", "a report that is not there"), ("drop-results", "has no result")],
    ids=["reports", "drop results"],
)
def test_audit_of_harm_to_the_bucket_finds_it(
    service: Service, stack: FragileStack, partner: Partner, folder: str, finding: str
) -> None:
    key = service.keys(f"{folder}/{partner.client.org}/")[0]
    service.s3.client.delete_object(Bucket=service.bucket, Key=key)
    (wrong,) = found(stack, partner)
    assert finding in wrong


def test_audit_of_open_sessions_and_uploads_finds_them(service: Service, stack: FragileStack) -> None:
    key = "reports/acme/1/not_imported.csv"
    upload = service.s3.client.create_multipart_upload(Bucket=service.bucket, Key=key)
    try:
        with service.app() as session, session.transaction("acme"):
            wrong = audit(stack, [])
    finally:
        service.s3.client.abort_multipart_upload(Bucket=service.bucket, Key=key, UploadId=upload["UploadId"])
    assert any(line.startswith("sessions are left") for line in wrong)
    assert any("neither completed nor aborted" in line for line in wrong)
