"""Import a file of the uploads route in the reader process, and compare it with plain Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from leads.errors import OrganisationBusy, ServiceFault
from leads.import_engine.sizes import LARGE_BYTES, Sizes
from leads.s3.bucket import Bucket
from leads.s3.reader import ObjectReader
from tests.integration.imports.test_organisation_lock import busy
from tests.support.hostile_s3 import BucketThatBreaksOff
from tests.support.imports import counts, job_of, report_of, run_import, uploaded
from tests.support.processes import Started, none_is_left, remembered
from tests.support.service import Caller, Service

ROWS = 60_000
HEADER = "Nom,Téléphone,E-mail,Source,Score,Commentaire\n"
FAULTS = {0: "Name is required", 1: "Invalid source value: wbe", 2: "Phone must contain a digit"}


def number_of(n: int) -> int:
    """Return a phone number. One row in twenty repeats an earlier one, close by or far back."""
    if n % 40 == 7:
        return n - 3
    return n // 2 - 1 if n % 40 == 27 else n


def fault_of(n: int) -> str | None:
    """Return a fault for one row in a hundred."""
    return FAULTS[n // 100 % len(FAULTS)] if n % 100 == 50 else None


def line(n: int) -> str:
    digits = f"{number_of(n):08}"
    pairs = " ".join(digits[at : at + 2] for at in range(0, 8, 2))
    phone = (f"06{digits}", f"06 {pairs}", f"+336{digits}", f"0033 (0)6.{pairs}")[n % 4]
    cells = {"name": f"Zoé Martin {n}", "phone": phone, "source": "Web"}
    match fault_of(n):
        case "Name is required":
            cells["name"] = ""
        case "Phone must contain a digit":
            cells["phone"] = "néant"
        case str():
            cells["source"] = "wbe"
    return (
        f"{cells['name']},{cells['phone']},zoe.martin.{n}@agence.example,{cells['source']},{n % 101},"
        f'"Cherche un T{n % 5}, {n % 90} m²"\n'
    )


CONTENT = (HEADER + "".join(map(line, range(ROWS)))).encode()


@dataclass
class Expected:
    """The result of a strategy: names by phone key in the order of the leads, and the rejected rows."""

    leads: list[tuple[str, str]] = field(default_factory=list)
    success: int = 0
    not_imported: dict[int, str] = field(default_factory=dict)


def expected(strategy: str) -> Expected:
    """Handle the rows one by one."""
    outcome = Expected()
    place: dict[str, int] = {}
    for n in range(ROWS):
        row = n + 2
        key, name = f"+336{number_of(n):08}", f"Zoé Martin {n}"
        if fault_of(n):
            outcome.not_imported[row] = "error"
        elif strategy == "CREATE_NEW" or key not in place:
            place[key] = len(outcome.leads)
            outcome.leads.append((key, name))
            outcome.success += 1
        elif strategy == "SKIP":
            outcome.not_imported[row] = "duplicate"
        else:
            outcome.leads[place[key]] = (key, name)
            outcome.success += 1
    return outcome


@pytest.mark.parametrize("strategy", ["SKIP", "OVERWRITE", "CREATE_NEW"])
def test_large_file_has_the_same_leads_as_plain_python(
    service: Service, caller: Caller, strategy: str
) -> None:
    assert len(CONTENT) > LARGE_BYTES, "or it is not read in a process of its own"
    wanted = expected(strategy)
    outcomes = list(wanted.not_imported.values())
    file = uploaded(service, caller, CONTENT, strategy)

    service.announce(file)

    job = job_of(service, caller, file)
    assert (job["status"], job["filename"], job["processedRows"]) == ("COMPLETED", "large.csv", ROWS)
    assert counts(job) == (ROWS, wanted.success, outcomes.count("error"), outcomes.count("duplicate"))
    assert outcomes.count("error") == ROWS // 100
    if strategy == "SKIP":
        assert outcomes.count("duplicate") > ROWS // 20 * 0.95
    report = report_of(job)
    assert first_difference(list(report.outcomes.items()), list(wanted.not_imported.items())) is None
    sent = {row: line(row - 2).partition(",")[0] for row in wanted.not_imported}
    assert first_difference([(int(row[0]), row[3]) for row in report.rows], list(sent.items())) is None
    assert first_difference(leads_of(service, caller), wanted.leads) is None


def leads_of(service: Service, caller: Caller) -> list[tuple[str, str]]:
    """Return phone keys and names in the order of ids."""
    with service.owner() as connection:
        rows = connection.query(
            "SELECT phone_key, name FROM dossier WHERE org_id = :org ORDER BY id", org=caller.org
        )
    return [cast("tuple[str, str]", tuple(row)) for row in rows]


def first_difference(these: Sequence[object], those: Sequence[object]) -> object:
    """Return the first difference of two long lists. pytest would take minutes to print all."""
    for place, (this, that) in enumerate(zip(these, those, strict=False)):
        if this != that:
            return place, this, that
    return None if len(these) == len(those) else (len(these), len(those))


@pytest.mark.parametrize("apart_bytes", [0, 2**40], ids=["in another process", "in this process"])
@pytest.mark.parametrize("given", [0, 30, 300_000])
@pytest.mark.fault("the S3 read breaks off in the middle")
def test_large_file_that_breaks_off_is_imported_by_next_run(
    service: Service, caller: Caller, given: int, apart_bytes: int
) -> None:
    content = CONTENT[: CONTENT.index(b"\n", 500_000) + 1]
    file = uploaded(service, caller, content)
    bucket = BucketThatBreaksOff(service.bucket_of("process_import"), content[:given], len(content))
    with pytest.raises(ServiceFault, match="broke off"):
        run_import(service, file, Sizes(1000, 2000, apart_bytes), bucket=bucket)
    assert (job_of(service, caller, file)["status"], service.leads(caller)) == ("PROCESSING", [])
    assert service.keys(f"reports/{caller.org}/") == []

    service.announce(file)

    job = job_of(service, caller, file)
    assert (job["status"], job["totalRows"]) == ("COMPLETED", content.count(b"\n") - 1)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """Record the reader processes, and check that none is running at the end."""
    processes = remembered(monkeypatch)
    yield processes
    none_is_left(processes)


@pytest.mark.parametrize(
    ("announced", "begun"),
    [(LARGE_BYTES + 1, 1), (LARGE_BYTES, 0), (0, 0)],
    ids=["large", "small", "unknown"],
)
def test_reader_process_of_large_file_starts_before_s3_replies(
    service: Service, caller: Caller, started: Started, announced: int, begun: int
) -> None:
    when_opened: list[int] = []

    class BucketThatNotesWhoReads(Bucket):
        def open(self, key: str, version: str) -> ObjectReader:
            when_opened.append(len(started))
            return super().open(key, version)

    content = CONTENT[: CONTENT.index(b"\n", 50_000) + 1]
    file = replace(uploaded(service, caller, content), size=announced)
    bucket = BucketThatNotesWhoReads(service.bucket_of("process_import").client, service.bucket)
    run_import(service, file, bucket=bucket)
    assert when_opened == [begun]
    assert len(started) == begun, "what it is in truth decides who reads it"
    assert job_of(service, caller, file)["totalRows"] == content.count(b"\n") - 1


def test_event_of_large_file_starts_the_reader_process(
    service: Service, caller: Caller, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the event has the size before the object is open."""
    reader = ObjectReader.__init__
    when_opened: list[int] = []

    def note(self: ObjectReader, *arguments: Any) -> None:
        when_opened.append(len(started))
        reader(self, *arguments)

    monkeypatch.setattr(ObjectReader, "__init__", note)
    file = uploaded(service, caller, CONTENT)
    assert file.size == len(CONTENT) > LARGE_BYTES
    service.announce(file)
    assert when_opened == [1]
    assert job_of(service, caller, file)["status"] == "COMPLETED"


@pytest.mark.parametrize("fault", [FileNotFoundError(), ServiceFault("S3 did not give an object")], ids=repr)
def test_reader_process_ends_if_its_file_cannot_be_opened(
    service: Service, caller: Caller, started: Started, fault: Exception
) -> None:
    class BucketThatGivesNothing(Bucket):
        def open(self, key: str, version: str) -> ObjectReader:
            raise fault

    file = replace(uploaded(service, caller, CONTENT[:1000]), size=LARGE_BYTES + 1)
    bucket = BucketThatGivesNothing(service.bucket_of("process_import").client, service.bucket)
    if isinstance(fault, ServiceFault):
        with pytest.raises(ServiceFault):
            run_import(service, file, bucket=bucket)
    else:
        assert run_import(service, file, bucket=bucket).ended == "FILE_GONE"
    assert len(started) == 1


def test_reader_process_ends_without_the_lock(service: Service, caller: Caller, started: Started) -> None:
    file = replace(uploaded(service, caller, CONTENT[:1000]), size=LARGE_BYTES + 1)
    with busy(service, caller), pytest.raises(OrganisationBusy):
        run_import(service, file, seconds=2)
    assert len(started) == 1
