"""Check that the API answers the whole result of a job or none while the job ends."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from leads.import_engine import import_file
from leads.postgres.connection import Connection, Transaction
from leads.use_cases import export_file
from tests.support.exports import ROUTE, asked, export_of, run_export, store
from tests.support.fault_table import Seen
from tests.support.imports import counts, download, job_of, posted, report_of, run_import
from tests.support.service import Caller, Service

CSV = "name,phone,source\nA,0612345678,web\nB,0612345678,web\nC,,web\n"
WANTED = (3, 1, 1, 1)
HISTORY = "/api/v1/leads/import/history"


class CommitThatWaits:
    """Delay the COMMIT that ends a job until `let` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.reached = threading.Event()
        self.let = threading.Event()
        self._ending: list[Connection] = []
        complete, commit = getattr(module, name), Transaction.commit

        def note(connection: Connection, *arguments: Any, **values: Any) -> Any:
            self._ending.append(connection)
            return complete(connection, *arguments, **values)

        def wait(transaction: Transaction) -> None:
            if transaction._connection in self._ending:
                self.reached.set()
                assert self.let.wait(20)
            commit(transaction)

        monkeypatch.setattr(module, name, note)
        monkeypatch.setattr(Transaction, "commit", wait)


def check_import(service: Service, caller: Caller, job: dict[str, Any]) -> None:
    """Check that an answer shows no end, or the whole one."""
    if job["status"] != "COMPLETED":
        assert (counts(job), job["reportUrl"], job["finishedAt"]) == ((0, 0, 0, 0), None, None)
        return
    assert (counts(job), job["processedRows"]) == (WANTED, 3)
    assert job["finishedAt"] is not None
    assert report_of(job).outcomes == {3: "duplicate", 4: "error"}
    assert len(service.leads(caller)) == 1


@pytest.mark.fault("the API asked for a job's result while it ends")
def test_import_before_its_commit_shows_no_part_of_its_end(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posted(service, caller, CSV)
    commit = CommitThatWaits(monkeypatch, import_file, "complete_import_job")
    with ThreadPoolExecutor() as threads:
        run = threads.submit(run_import, service, file)
        assert commit.reached.wait(20)
        before = job_of(service, caller, file)
        (listed,) = service.request("GET", HISTORY, caller).json
        commit.let.set()
        run.result()
    assert (before["status"], listed["status"], before["errorReport"]) == ("PROCESSING", "PROCESSING", "")
    check_import(service, caller, before)
    check_import(service, caller, job_of(service, caller, file))
    assert job_of(service, caller, file)["errorReport"] == "Row 4: Phone is required\n"


@pytest.mark.fault("the API asked for a job's result while it ends")
def test_export_before_its_commit_has_no_link(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(service, caller, name="Ana")
    request = asked(service, caller, columns="name")
    commit = CommitThatWaits(monkeypatch, export_file, "complete_export_job")
    with ThreadPoolExecutor() as threads:
        run = threads.submit(run_export, service, request)
        assert commit.reached.wait(20)
        before = export_of(service, caller, request)
        commit.let.set()
        run.result()
    assert (before["status"], before["url"]) == ("PROCESSING", None)
    after = export_of(service, caller, request)
    assert (after["status"], after["rowCount"]) == ("COMPLETED", 1)
    assert download(after["url"]).data == b"name\nAna\n"
    assert service.request("GET", f"{ROUTE}/history", caller).json[0]["rowCount"] == 1


@pytest.mark.fault("the API asked for a job's result while it ends")
def test_imports_that_are_polled_constantly_are_never_partial(service: Service, seen: Seen) -> None:
    callers = [Caller() for _ in range(6)]
    files = [posted(service, caller, CSV) for caller in callers]
    over = threading.Event()
    answers = 0

    def ask(place: int) -> int:
        asked = 0
        while True:
            last = over.is_set()
            check_import(service, callers[place], job_of(service, callers[place], files[place]))
            asked += 1
            if last:
                return asked

    with ThreadPoolExecutor(len(callers)) as threads:
        asking = [threads.submit(ask, place) for place in range(len(callers))]
        try:
            for file in files:
                run_import(service, file)
        finally:
            over.set()
        answers = sum(one.result() for one in asking)
    assert {job_of(service, *one)["status"] for one in zip(callers, files, strict=True)} == {"COMPLETED"}
    seen(f"{answers} answers while {len(files)} imports ended, each of them whole")
