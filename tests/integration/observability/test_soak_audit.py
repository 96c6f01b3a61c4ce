"""The audit of `make soak` finds what it looks for: an auditor who sees nothing proves nothing."""

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
    """A partner's client that needs no HTTP."""

    def __init__(self, service: Service, org: str) -> None:
        self.org = org
        self._service = service

    def request(self, method: str, path: str, **_: object) -> _Answer:
        answer = self._service.request(method, path, Caller(org=self.org))
        return _Answer(answer.status, answer.json)


class _Stack:
    """What the audit looks at, of the service in this process."""

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
    """One who has sent some files, of which each kind of row came."""
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
    """What the audit says of this partner: other tests use the same server and bucket."""
    return [line for line in audit(stack, [partner]) if line.startswith(partner.client.org)]


def test_what_was_sent_is_as_it_was_sent(stack: FragileStack, partner: Partner) -> None:
    assert found(stack, partner) == []
    sums = [sum(job.counts[n] for job in partner.jobs.values()) for n in range(3)]
    assert all(sums), "a kind of row is missing, so the tests below tell less"


@pytest.mark.parametrize(
    ("harm", "told"),
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
        "a doubled lead",
        "an altered lead",
        "a row counted as another",
        "a row too many counted",
        "a report that nobody links to",
        "a lost job",
        "a foreign job",
    ],
)
def test_harm_to_the_database_is_found(
    service: Service, stack: FragileStack, partner: Partner, harm: str, told: str
) -> None:
    with service.owner() as owner:
        org = partner.client.org
        leads = owner.query("SELECT min(id), max(id) FROM dossier WHERE org_id = :org", org=org)
        (first, last), job = leads[0], partner.jobs["0.csv"].id
        places = {"lead": first, "last": last, "job": job}
        owner.query(harm, **{name: id for name, id in places.items() if f":{name}" in harm})
    wrong = found(stack, partner)
    assert wrong
    assert told in wrong[0]


@pytest.mark.slow_fault
def test_a_job_that_the_api_does_not_show_is_found(stack: FragileStack, partner: Partner) -> None:
    org, partner.client.org = partner.client.org, "another"
    client, id = partner.client, partner.jobs["0.csv"].id

    class ClientOfTwo:
        """Has its organisation's name and another one's token."""

        def __init__(self) -> None:
            self.org = org

        def request(self, *arguments: Any, **others: Any) -> Any:
            return client.request(*arguments, **others)

    partner.client = ClientOfTwo()  # type: ignore[assignment]
    wrong = found(stack, partner)
    assert len(wrong) == FILES
    assert any(line.startswith(f"{org}: import {id} is not shown") for line in wrong)


@pytest.mark.parametrize(
    ("folder", "told"), [("reports", "a report that is not there"), ("drop-results", "has no result")]
)
def test_harm_to_the_bucket_is_found(
    service: Service, stack: FragileStack, partner: Partner, folder: str, told: str
) -> None:
    key = service.keys(f"{folder}/{partner.client.org}/")[0]
    service.s3.client.delete_object(Bucket=service.bucket, Key=key)
    (wrong,) = found(stack, partner)
    assert told in wrong


def test_what_nobody_will_end_is_found(service: Service, stack: FragileStack) -> None:
    key = "reports/acme/1/not_imported.csv"
    upload = service.s3.client.create_multipart_upload(Bucket=service.bucket, Key=key)
    try:
        with service.app() as session, session.transaction("acme"):
            wrong = audit(stack, [])
    finally:
        service.s3.client.abort_multipart_upload(Bucket=service.bucket, Key=key, UploadId=upload["UploadId"])
    assert any(line.startswith("sessions are left") for line in wrong)
    assert any("neither completed nor aborted" in line for line in wrong)
