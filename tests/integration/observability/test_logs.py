"""Check that each log line about a job has its id, and the correlation id of its first request.

This holds in all functions that work on the job.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from leads.errors import DatabaseFault, ServiceFault
from leads.import_engine import import_file
from leads.s3.bucket import Bucket
from leads.s3.events import StoredFile
from leads.s3.keys import import_key
from leads.use_cases import export_file, export_leads
from tests.integration.imports.test_import_leads import BINARY
from tests.integration.imports.test_import_leads import ROUTE as IMPORT_ROUTE
from tests.support.expiry import (
    EVENT_GONE,
    EXPORT,
    IMPORT,
    UPLOAD_GONE,
    invoke_expire_jobs,
    make_past,
    stored_job,
)
from tests.support.exports import ROUTE as EXPORT_ROUTE
from tests.support.exports import announce_export, asked, job_id
from tests.support.lambda_context import FakeLambdaContext
from tests.support.log_lines import Printed, printed
from tests.support.service import Caller, Service, s3_event

CSV = "name,phone,source\nA,0612345678,web\n"


@pytest.fixture
def logs(
    service: Service, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[Printed]:
    service.handler("process_import")
    with printed(capsys, caplog) as found:
        yield found


def fail(*_: object, **__: object) -> Any:
    raise DatabaseFault(None)


def upload_of(service: Service, caller: Caller, id: int) -> StoredFile:
    return service.version(import_key(caller.org, id))


def deliver(service: Service, file: StoredFile, logs: Printed) -> None:
    """Send an event whose failure Lambda logs."""
    try:
        service.announce(file)
    except ServiceFault as error:
        logs.raised(error)


def assert_about(lines: list[dict[str, Any]], service: Service, table: str, id: int, *messages: str) -> None:
    """Check that the lines have these messages in order, and name the job and its correlation id."""
    correlation_id = stored_job(service, table, id)["correlation_id"]
    assert correlation_id
    assert [line["message"] for line in lines] == list(messages)
    for line in lines:
        assert (line.get(f"{table}_id"), line["correlation_id"]) == (id, correlation_id), line


def test_import_log_lines_from_request_to_end_name_the_job(
    service: Service, caller: Caller, logs: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = service.post_csv(caller, CSV)
    file = upload_of(service, caller, id)
    with monkeypatch.context() as patched:
        patched.setattr(import_file, "try_lock", fail)
        deliver(service, file, logs)
    service.announce(file)
    service.announce(file)
    assert_about(
        logs.lines(),
        service,
        IMPORT,
        id,
        "file stored",
        "import tried once more",
        "import failed",
        "import ended",
        "import ended",
    )


@pytest.mark.usefixtures("no_unfinished_jobs")
def test_upload_and_drop_log_lines_name_their_jobs(service: Service, caller: Caller, logs: Printed) -> None:
    answer = service.request(
        "POST",
        f"{IMPORT_ROUTE}/uploads",
        caller,
        headers={"Content-Type": "application/json"},
        body=b'{"filename": "a.csv"}',
    )
    id = answer.json["importJobId"]
    make_past(service, IMPORT, id, created_at=UPLOAD_GONE + 1)
    invoke_expire_jobs(service)
    lines = [line for line in logs.lines() if line["message"] != "jobs expired"]
    assert_about(lines, service, IMPORT, id, "upload prepared", "job expired")

    file = service.put(f"drop/{caller.org}/a.csv", CSV.encode())
    for _ in range(2):
        service.announce(file)
    (job,) = (
        one for one in service.request("GET", f"{IMPORT_ROUTE}/history", caller).json if one["id"] != id
    )
    assert_about(logs.lines(), service, IMPORT, job["id"], "import ended", "import ended")


def test_failed_request_log_line_names_its_job(
    service: Service, caller: Caller, logs: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ServiceFault("S3 did not store it")

    monkeypatch.setattr(Bucket, "put", refuse)
    answer = service.request("POST", IMPORT_ROUTE, caller, headers=BINARY, body=CSV.encode())
    assert answer.status == 500
    (line,) = logs.lines()
    assert line["import_job_id"] == stored_job(service, IMPORT, line["import_job_id"])["id"]
    assert line["correlation_id"] == answer.json["requestId"], "a caller sends it to the support"


def test_export_log_lines_from_request_to_end_name_the_job(
    service: Service, caller: Caller, logs: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(service, caller)
    with monkeypatch.context() as patched:
        patched.setattr(export_file, "copy_leads", fail)
        with pytest.raises(ServiceFault):
            announce_export(service, request)
    for _ in range(2):
        announce_export(service, request)
    assert_about(
        logs.lines(),
        service,
        EXPORT,
        job_id(request),
        "leads exported",
        "export tried once more",
        "export failed",
        "export ended",
        "export ended",
    )


@pytest.mark.usefixtures("no_unfinished_jobs")
def test_answered_failed_and_expired_export_lines_name_the_job(
    service: Service, caller: Caller, logs: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = service.request("GET", EXPORT_ROUTE, caller, headers={"Accept": "application/json"})
    assert_about(logs.lines(), service, EXPORT, answer.json["id"], "leads exported")

    with monkeypatch.context() as patched:
        patched.setattr(export_leads, "export_file", fail)
        assert service.request("GET", EXPORT_ROUTE, caller).status == 500
    (line,) = logs.lines()
    assert_about([line], service, EXPORT, line["export_job_id"], "service fault")

    late = job_id(asked(service, caller))
    make_past(service, EXPORT, late, created_at=EVENT_GONE)
    invoke_expire_jobs(service)
    lines = [line for line in logs.lines() if line["message"] != "jobs expired"]
    assert_about(lines, service, EXPORT, late, "leads exported", "job expired")


def test_log_lines_of_files_of_one_event_name_their_own_jobs(
    service: Service, caller: Caller, logs: Printed
) -> None:
    ids = [service.post_csv(caller, CSV) for _ in range(2)]
    logs.lines()
    files = [upload_of(service, caller, id) for id in ids]
    foreign = service.put("imports/unknown/0/upload.csv", b"")
    context = FakeLambdaContext("process_import")
    event = s3_event(service.bucket, files[0], foreign, files[1])
    service.handler("process_import")(event, context)
    first, unknown, second = logs.lines()
    assert_about([first], service, IMPORT, ids[0], "import ended")
    assert_about([second], service, IMPORT, ids[1], "import ended")
    assert "import_job_id" not in unknown
    assert unknown["correlation_id"] == context.aws_request_id


def test_log_line_without_a_job_has_a_correlation_id(service: Service, logs: Printed) -> None:
    for name in ("process_import", "process_export", "expire_jobs"):
        context = FakeLambdaContext(name)
        service.handler(name)({"Event": "s3:TestEvent"}, context)
        (line,) = logs.lines()
        assert line["correlation_id"] == context.aws_request_id
        assert not {"import_job_id", "export_job_id"} & line.keys()
