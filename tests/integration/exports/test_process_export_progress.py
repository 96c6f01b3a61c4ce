"""Report a running export's progress on the polled route: never more rows than the file has."""

import csv
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from leads.domain.job_ref import export_ref
from leads.jobs import progress
from leads.jobs.outcome import COMPLETED, IGNORED, ExportOutcome
from leads.jobs.stores import Stores
from leads.postgres.export_jobs import claim_export_job, get_export_job
from leads.s3.bucket import Bucket
from leads.s3.multipart_writer import MultipartWriter
from leads.use_cases.export_file import export_file
from tests.integration.exports.test_multipart_writer import ClientThatHoldsParts
from tests.support.exports import (
    ROUTE,
    asked,
    attempts_of,
    export_of,
    job_id,
    run_export,
    store_many,
)
from tests.support.service import Caller, Service
from tests.support.waiting import wait_until

LEADS = 22_000
"""More than the parts that may be alive at once hold: 22 MB."""


def test_running_export_reports_rows_and_is_not_changed(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_INTERVAL_SECONDS", 0.0)
    store_many(service, caller, LEADS)
    request = asked(service, caller)
    client = ClientThatHoldsParts(service.bucket_of("process_export").client)
    outcomes: list[ExportOutcome] = []
    bucket = Bucket(client, service.bucket)  # type: ignore[arg-type]
    thread = threading.Thread(target=lambda: outcomes.append(run_export(service, request, bucket=bucket)))
    thread.start()
    threads = ThreadPoolExecutor()
    try:
        wait_until(lambda: export_of(service, caller, request)["rowCount"] or not thread.is_alive())
        answer = service.request("GET", f"{ROUTE}/{job_id(request)}", caller)
        assert (answer.json["status"], answer.json["url"]) == ("PROCESSING", None)
        assert answer.headers["Retry-After"] == "1"
        assert 0 < answer.json["rowCount"] < LEADS
        duplicate = threads.submit(run_export, service, request)
    finally:
        client.let_go.set()
        thread.join()
        threads.shutdown()
    assert duplicate.result().ended == IGNORED
    assert [outcome.ended for outcome in outcomes] == [COMPLETED]
    export = export_of(service, caller, request)
    assert (export["status"], export["rowCount"]) == ("COMPLETED", LEADS)
    assert attempts_of(service, request) == 1


@pytest.mark.parametrize("query", [{}, {"format": "excel"}])
def test_rows_so_far_count_cells_with_line_breaks_once(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    leads = 4000
    store_many(service, caller, leads, notes='a "quoted"\r\n\nline\n' * 30)
    request = asked(service, caller, **query)
    written = bytearray()
    write = MultipartWriter.write
    reported: list[int] = []
    counted: list[int] = []

    def write_and_note(writer: MultipartWriter, data: bytes) -> None:
        written.extend(data)
        write(writer, data)

    def show(rows: int) -> None:
        reported.append(rows)
        text = io.StringIO(written.decode("utf-8-sig"), newline="")
        counted.append(sum(1 for _ in csv.reader(text, delimiter=";" if query else ",")) - 1)

    monkeypatch.setattr(MultipartWriter, "write", write_and_note)
    with service.app() as connection:
        id = job_id(request)
        claim_export_job(connection, export_ref(caller.org, id), request_version=request.version)
        job = get_export_job(connection, caller.org, id)
        assert job is not None
        done = export_file(
            connection,
            job,
            Stores(service.database, service.bucket_of("process_export")),
            seconds=60,
            progress=show,
        )
    assert reported == counted
    assert (reported[-1], done.row_count) == (leads, leads)
    assert len(set(reported)) > 2, "rows came all at once, so this test proves nothing"
