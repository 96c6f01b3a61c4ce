"""Import files of random bytes: the job ends, and its counts, leads and report agree.

The files are flipped, cut, mixed with quotes and NULs, compressed and damaged, or never were CSV.
"""

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.import_engine.sizes import Sizes
from leads.postgres.connection import Connection
from tests.support.imports import counts, job_of, posted, report_of, run_import
from tests.support.service import Caller, Service

COLUMNS = ("name", "phone", "source", "email", "score", "notes", "Ville")
ODD_BYTES = [bytes([code]) for code in b'""\0,;\t\r\n\'= \xe9\xc3\xff']
ODD_CELLS = ["", "Ana", "web", "+33612345678", "101", "'=1+1", '=1,"x"', "a\r\nb", "é€", " \u00a0x\t", "\t=1"]

cells = st.sampled_from(ODD_CELLS)
names = st.sampled_from(["Ana", "Bob;,", "É"])
phones = st.sampled_from(["0612345678", "06 12 34 56 78", "1"])
valid_rows = st.tuples(names, phones, st.just("web"))


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    """Generate a valid or nearly valid file."""
    columns = draw(st.permutations(COLUMNS))
    header = [name for name in columns if name in COLUMNS[:3] or draw(st.booleans())]
    text = io.StringIO(newline="")
    delimiter, line_end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r"]))
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
    writer.writerow(header)
    for _ in range(draw(st.integers(0, 6))):
        row = dict(zip(COLUMNS, draw(valid_rows), strict=False))
        for name in draw(st.lists(st.sampled_from(header), max_size=2)):
            row[name] = draw(cells)
        writer.writerow([row.get(name, "") for name in header])
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "cp1252", "utf-16"]))
    return text.getvalue().encode(encoding, errors="replace")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Generate a nearly valid file with random damage."""
    content = bytearray(draw(csv_files()))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        accident = draw(st.sampled_from(["insert", "insert", "delete", "flip", "repeat", "cut"]))
        if accident == "insert":
            content[at:at] = draw(st.sampled_from(ODD_BYTES)) * draw(st.sampled_from([1, 1, 1, 2, 9]))
        elif accident == "delete":
            del content[at : at + draw(st.integers(1, 9))]
        elif accident == "flip" and at < len(content):
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif accident == "repeat":
            content[at:at] = content[at : at + draw(st.integers(1, 60))]
        elif draw(st.booleans()):
            del content[at:]
    return bytes(content)


@st.composite
def compressed(draw: st.DrawFn) -> bytes:
    """Generate the same file compressed, and perhaps damaged."""
    content = bytearray(gzip.compress(draw(mutated()), mtime=0))
    accident = draw(st.sampled_from(["none", "cut", "flip", "more"]))
    at = draw(st.integers(0, len(content) - 1))
    if accident == "cut":
        del content[at:]
    elif accident == "flip":
        content[at] ^= 1 << draw(st.integers(0, 7))
    elif accident == "more":
        content += draw(st.sampled_from([bytes(content), b"\0" * 9, b"more"]))
    return bytes(content)


wild_cells = st.text(alphabet="aé1=\"',;\r\n\0 ", max_size=80).map(
    lambda text: f"name,phone,source\nAna,1,web\n{text}".encode()
)
files = st.one_of(mutated(), mutated(), mutated(), compressed(), wild_cells, st.binary(max_size=200))
sizes = st.builds(Sizes, chunk_rows=st.integers(1, 4), merge_rows=st.integers(1, 4))


@pytest.fixture(scope="module")
def owner(service: Service) -> Iterator[Connection]:
    """One connection for all checks: to connect takes longer than to check."""
    with service.owner() as connection:
        yield connection


any_file = given(content=files, strategy=st.sampled_from(["SKIP", "CREATE_NEW"]), cut=st.none() | sizes)


@any_file
@settings(max_examples=50, deadline=None)
def test_random_file_is_imported_or_refused_whole(
    service: Service, owner: Connection, content: bytes, strategy: str, cut: Sizes | None
) -> None:
    check_file(service, owner, content, strategy, cut)


@pytest.mark.slow_fault
@pytest.mark.fault("1,000 random and damaged files")
@any_file
@settings(max_examples=1000, deadline=None)
def test_1000_random_files_are_imported_or_refused_whole(
    service: Service, owner: Connection, content: bytes, strategy: str, cut: Sizes | None
) -> None:
    check_file(service, owner, content, strategy, cut)


def check_file(service: Service, owner: Connection, content: bytes, strategy: str, cut: Sizes | None) -> None:
    """Import a file for a new organisation, and check that its job ended and that all records agree."""
    caller = Caller()
    file = posted(service, caller, content, strategy)
    if cut is None:
        service.announce(file)
    else:
        run_import(service, file, cut)
    job = job_of(service, caller, file)
    leads = owner.query_value("SELECT count(*) FROM dossier WHERE org_id = :org", org=caller.org)
    if job["status"] == "FAILED":
        check_refusal(service, caller, job, leads)
        return
    report = check_result(service, caller, job, leads)
    if report and cut is None:
        check_report_again(service, report, job)


def check_refusal(service: Service, caller: Caller, job: dict[str, Any], leads: object) -> None:
    """Check that a refusal is the file's fault, and that nothing of the file is stored."""
    assert job["failureReason"]
    assert "internal error" not in job["failureReason"]
    assert (counts(job), leads, job["reportUrl"], job["errorReport"]) == ((0, 0, 0, 0), 0, None, "")
    assert service.keys(f"reports/{caller.org}/") == []


def check_result(service: Service, caller: Caller, job: dict[str, Any], leads: object) -> str | None:
    """Check that counts, leads, faults and report agree, and return the report."""
    assert job["status"] == "COMPLETED", job
    total, success, error, skipped = counts(job)
    assert total == success + error + skipped
    assert leads == success
    faulty = {int(line.removeprefix("Row ").partition(":")[0]) for line in fault_lines(job)}
    assert len(faulty) == error
    if not error + skipped:
        assert job["reportUrl"] is None
        assert service.keys(f"reports/{caller.org}/") == []
        return None
    text = report_of(job).text.removeprefix("\ufeff")
    report = report_of(job, text[len("row")])
    rows = [int(row[0]) for row in report.rows]
    assert rows == sorted(set(rows))
    assert Counter(report.outcomes.values()) == Counter(error=error, duplicate=skipped)
    assert {row for row, outcome in report.outcomes.items() if outcome == "error"} == faulty
    return text


def fault_lines(job: dict[str, Any]) -> list[str]:
    """Return the first line of each fault: a message may contain a line break of a cell."""
    return [line for line in job["errorReport"].split("\n") if line.startswith("Row ")]


def check_report_again(service: Service, text: str, job: dict[str, Any]) -> None:
    """Import the report for an organisation without leads: its faults remain, its duplicates become leads."""
    error, duplicates = job["errorCount"], job["skippedCount"]
    again = service.import_csv(Caller(), text, "CREATE_NEW")
    assert (again["status"], counts(again)) == ("COMPLETED", (error + duplicates, duplicates, error, 0)), text
