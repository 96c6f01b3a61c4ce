"""Check that no personal data, content of a file or secret reaches a log, in success or failure.

Marked values go in everywhere. None may come out by a line, a metric or an error that Lambda would log.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from leads.errors import ServiceFault
from leads.import_engine import import_file
from leads.postgres.export import copy_leads
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import import_key
from leads.use_cases import expire_jobs, export_file, process_import
from tests.integration.imports.test_import_leads import ROUTE as IMPORT_ROUTE
from tests.support.expiry import EVENT_GONE, IMPORT, dropped, invoke_expire_jobs, make_past
from tests.support.exports import ROUTE as EXPORT_ROUTE
from tests.support.exports import announce_export, asked
from tests.support.hostile_s3 import ClientThatFailsOn
from tests.support.log_lines import Printed, printed
from tests.support.service import APP_PASSWORD, Answer, Caller, Service, multipart

MARK = "Zaphod"
PHONE = "0698765432"
FORBIDDEN = (MARK.lower(), PHONE, "+33698765432", "98765432", APP_PASSWORD)
"""In lower case, because the printed text is compared in lower case."""

CSV = (
    f"name,phone,source,email,notes,{MARK}-column\n"
    f"{MARK},{PHONE},web,{MARK}@x.example,{MARK} notes,{MARK} cell\n"
    f"{MARK} again,{PHONE},web,,,\n"
    f"{MARK} faulty,{PHONE},{MARK}-source,,,{MARK}\n"
)
BROKEN = f'name,phone,source\n{MARK},"{PHONE},web\n'
HEADERS = {
    "Authorization": f"Bearer {MARK}-token",
    "Cookie": f"session={MARK}",
    "User-Agent": MARK,
    "Idempotency-Key": f'"{MARK}-key"',
    "Prefer": "respond-async",
}
FILENAME = f"{MARK} leads.csv"


@pytest.fixture
def caller() -> Caller:
    return Caller(user=f"{MARK}@agency.example")


@pytest.fixture
def logs(
    service: Service, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[Printed]:
    service.handler("process_import")
    with printed(capsys, caplog) as found:
        yield found


def assert_impersonal(logs: Printed, *messages: str) -> None:
    """Check that these messages were logged, and no marked value."""
    logged = {line["message"] for line in logs.lines()}
    assert logged >= set(messages), logged
    printed = logs.text.lower()
    assert [mark for mark in FORBIDDEN if mark in printed] == []


def post(service: Service, caller: Caller, content: str = CSV, **fields: str) -> Answer:
    headers, body = multipart(content.encode(), FILENAME, **fields)
    return service.request("POST", IMPORT_ROUTE, caller, headers=HEADERS | headers, body=body)


def stored(service: Service, caller: Caller, content: str = CSV, **fields: str) -> StoredFile:
    answer = post(service, caller, content, **fields)
    assert answer.status == 202, answer
    return service.version(import_key(caller.org, answer.json["importJobId"]))


def deliver(send: Callable[[], object], logs: Printed) -> None:
    """Send an event whose failure Lambda logs."""
    with pytest.raises(ServiceFault) as raised:
        send()
    logs.raised(raised.value)


def fail(*_: object, **__: object) -> Any:
    raise ValueError(f"unexpected: {MARK} and {PHONE}")


def test_imports_and_refused_files_log_no_personal_data(
    service: Service, caller: Caller, logs: Printed
) -> None:
    for content in (CSV, BROKEN, f"{MARK}\n{PHONE}\n", f"%PDF {MARK}"):
        headers = {"Idempotency-Key": f'"{MARK}-{uuid4()}"'}
        form, body = multipart(content.encode(), FILENAME)
        sent = service.request(
            "POST", IMPORT_ROUTE, caller, headers=HEADERS | headers | form, body=body
        ).json["importJobId"]
        service.announce(service.version(import_key(caller.org, sent)))
        service.announce(service.put(f"drop/{caller.org}/{FILENAME}", content.encode()))
        service.announce(service.put(f"drop/{caller.org}/{MARK}/{FILENAME}", content.encode()))
    service.announce(service.put(f"drop/{MARK} no organisation/{FILENAME}", CSV.encode()))
    service.announce(service.put(f"imports/{MARK}/{FILENAME}", CSV.encode()))
    assert [lead["phone"] for lead in service.leads(caller)] == [PHONE]
    assert_impersonal(logs, "file stored", "import ended")


def test_refused_requests_log_no_personal_data(service: Service, caller: Caller, logs: Printed) -> None:
    assert post(service, caller, mergeStrategy=MARK).status == 400
    assert post(service, caller, **{MARK: MARK}).status == 400
    assert post(service, caller, CSV + MARK).status == 202
    assert post(service, caller).status == 409
    for path in (f"{IMPORT_ROUTE}/history", EXPORT_ROUTE):
        assert service.request("GET", path, caller, query={"status": MARK}, headers=HEADERS).status == 400
    claims = caller.claims | {"custom:org_id": f"../{MARK}"}
    assert service.request("GET", EXPORT_ROUTE, headers=HEADERS, claims=claims).status == 403
    assert_impersonal(logs)


@contextmanager
def refused_by_postgres(service: Service, caller: Caller) -> Iterator[None]:
    """Make Postgres refuse the organisation's leads, with an error that contains the row."""
    name = f"refused_{uuid4().hex}"
    with service.owner() as connection:
        connection.query(
            f"ALTER TABLE dossier ADD CONSTRAINT {name} CHECK (org_id <> '{caller.org}') NOT VALID"
        )
        try:
            yield
        finally:
            connection.query(f"ALTER TABLE dossier DROP CONSTRAINT {name}")


def test_row_that_postgres_refuses_logs_no_personal_data(
    service: Service, caller: Caller, logs: Printed
) -> None:
    file = stored(service, caller)
    with refused_by_postgres(service, caller):
        service.announce(file)
    (line,) = (one for one in logs.lines() if one["message"] == "import ended")
    assert line["fault"].startswith("database error 23514 on refused_")
    assert_impersonal(logs)


@pytest.mark.parametrize("where", ["claim_import_job", "FileImport"])
def test_unexpected_fault_of_import_logs_no_personal_data(
    service: Service, caller: Caller, logs: Printed, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    file = stored(service, caller)
    monkeypatch.setattr(process_import, where, fail)
    for _ in range(3):
        deliver(lambda: service.announce(file), logs)
    assert_impersonal(logs, "import failed")


def test_import_that_s3_or_reader_aborts_logs_no_personal_data(
    service: Service, caller: Caller, logs: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = stored(service, caller)
    bucket = service.bucket_of("process_import")
    for client in (
        ClientThatFailsOn(bucket.client, "get_object"),
        ClientThatFailsOn(bucket.client, "put_object", prefix="reports/"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(service.module("process_import"), "bucket", Bucket(client, bucket.name))  # type: ignore[arg-type]
            deliver(lambda: service.announce(file), logs)
    monkeypatch.setattr(import_file, "ReadAhead", fail)
    deliver(lambda: service.announce(file), logs)
    assert_impersonal(logs, "import failed")


def test_faults_of_the_api_log_no_personal_data(
    service: Service, caller: Caller, logs: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = service.bucket_of("import_leads")
    client = ClientThatFailsOn(bucket.client, "put_object")
    with monkeypatch.context() as patched:
        patched.setattr(service.module("import_leads"), "bucket", Bucket(client, bucket.name))  # type: ignore[arg-type]
        assert post(service, caller).status == 500
    for function, use_case in (("import_leads", "import_leads"), ("export_leads", "export_leads")):
        monkeypatch.setattr(service.module(function), use_case, fail)
    assert post(service, caller).status == 500
    assert service.request("GET", EXPORT_ROUTE, caller, headers=HEADERS).status == 500
    assert_impersonal(logs, "service fault", "unexpected error")


def test_exports_in_success_and_failure_log_no_personal_data(
    service: Service, caller: Caller, logs: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.announce(stored(service, caller))
    assert service.request("GET", EXPORT_ROUTE, caller, headers=HEADERS).status == 202
    assert MARK in service.export_csv(caller)
    announce_export(service, asked(service, caller))

    def break_off(connection: Any, org_id: str, order: Any, sink: Any) -> int:
        sink.write = fail
        return copy_leads(connection, org_id, order, sink)

    request = asked(service, caller)
    monkeypatch.setattr(export_file, "copy_leads", break_off)
    deliver(lambda: announce_export(service, request), logs)
    assert service.request("GET", EXPORT_ROUTE, caller).status == 500
    assert_impersonal(logs, "leads exported", "export ended", "export failed", "unexpected error")


def test_expiry_in_success_and_failure_logs_no_personal_data(
    service: Service, caller: Caller, logs: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, id = dropped(service, caller, CSV.encode())
    make_past(service, IMPORT, id, created_at=EVENT_GONE)
    bucket = service.bucket_of("expire_jobs")
    client = ClientThatFailsOn(bucket.client, "put_object")
    with monkeypatch.context() as patched:
        patched.setattr(service.module("expire_jobs"), "bucket", Bucket(client, bucket.name))  # type: ignore[arg-type]
        deliver(lambda: invoke_expire_jobs(service), logs)
    invoke_expire_jobs(service)
    monkeypatch.setattr(expire_jobs, "find_overdue_jobs", fail)
    deliver(lambda: invoke_expire_jobs(service), logs)
    assert_impersonal(logs, "job not expired", "job expired", "jobs expired", "expiry failed")


def test_assert_impersonal_with_a_printed_mark_fails(service: Service, logs: Printed) -> None:
    """Without this check, a recorder that records nothing would pass every test."""
    service.module("process_import").logger.warning("a line", cell=MARK)
    with pytest.raises(AssertionError, match="zaphod"):
        assert_impersonal(logs, "a line")
    with pytest.raises(ValueError, match=MARK) as raised:
        fail()
    logs.text = ""
    logs.raised(raised.value)
    with pytest.raises(AssertionError, match="zaphod"):
        assert_impersonal(logs)
