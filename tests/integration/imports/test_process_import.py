"""Process an S3 event into leads and the job's record."""

import io
import logging
from pathlib import Path

import pytest

from leads.import_engine.sizes import Sizes
from leads.observability import logger
from tests.support.imports import counts, job_of, posted, run_import
from tests.support.service import ROOT, Caller, Service

HEADER = "name,phone,email,source,lead_source,score,notes\n"
AUTHORITIES = Path(ROOT / "tests/data/french_authorities.csv")


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("SKIP", (5000, 4910, 14, 76)), ("OVERWRITE", (5000, 4986, 14, 0)), ("CREATE_NEW", (5000, 4986, 14, 0))],
)
def test_real_file_is_imported(
    service: Service, caller: Caller, strategy: str, expected: tuple[int, int, int, int]
) -> None:
    job = service.import_csv(caller, AUTHORITIES.read_bytes(), strategy)
    assert counts(job) == expected
    stored = 4986 if strategy == "CREATE_NEW" else 4910
    assert len(service.leads(caller)) == stored
    assert job["errorReport"].startswith("Row 18: Phone is required\n")


def test_second_import_under_skip_adds_nothing(service: Service, caller: Caller) -> None:
    service.import_csv(caller, AUTHORITIES.read_bytes())
    before = service.leads(caller)
    again = service.import_csv(caller, AUTHORITIES.read_bytes())
    assert counts(again) == (5000, 0, 14, 4986)
    assert service.leads(caller) == before


@pytest.mark.parametrize("columns", [{}, {"columns": "phone,name,source"}])
def test_import_of_an_export_under_overwrite_changes_nothing(
    service: Service, caller: Caller, columns: dict[str, str]
) -> None:
    service.import_csv(caller, AUTHORITIES.read_bytes())
    nasty = (
        'name,phone,source,notes\n\'=1+1,+33 1 00 00 00 01,web,\'@x\n"""q"", -x",0100000002,web,"a\r\nb"\n'
    )
    service.import_csv(caller, nasty)
    before = service.leads(caller)
    assert before[-2]["name"] == "=1+1"

    job = service.import_csv(caller, service.export_csv(caller, **columns), "OVERWRITE")

    assert counts(job) == (4912, 4912, 0, 0)
    assert service.leads(caller) == before


def test_row_is_imported_with_every_cell(service: Service, caller: Caller) -> None:
    row = '  Élodie  Martin ,\u00a006 12 34 56 78, e@x.example ,WEB,Facebook,007,"two\nlines"\n'
    service.import_csv(caller, HEADER + row)
    (lead,) = service.leads(caller)
    expected = {
        "name": "Élodie  Martin",
        "phone": "06 12 34 56 78",
        "phone_key": "+33612345678",
        "email": "e@x.example",
        "source": "web",
        "lead_source": "Facebook",
        "score": 7,
        "notes": "two\nlines",
        "status": "NEW",
        "created_by": caller.user,
        "updated_by": caller.user,
    }
    assert {name: lead[name] for name in expected} == expected


def test_carriage_return_and_backslash_in_a_cell_are_imported(service: Service, caller: Caller) -> None:
    service.import_csv(caller, HEADER + 'A,0612345678,,web,,,"a\rb \\N \\. \\t"\n')
    assert service.leads(caller)[0]["notes"] == "a\rb \\N \\. \\t"


def test_every_fault_of_every_row_is_reported(service: Service, caller: Caller) -> None:
    rows = f",,,nowhere,,101,\nB,none,,web,,,\nC,0612345678,,web,,,,,x\n,,,,,,\n{'D' * 256},1,,web,,,\n"
    job = service.import_csv(caller, HEADER + rows)
    assert counts(job) == (4, 0, 4, 0)
    assert job["errorReport"].splitlines() == [
        "Row 2: Name is required",
        "Row 2: Phone is required",
        "Row 2: Invalid source value: nowhere",
        "Row 2: Score must be an integer between 0 and 100",
        "Row 3: Phone must contain a digit",
        "Row 4: Row has 9 cells, the header has 7",
        "Row 6: Name is longer than 255 characters",
    ]


@pytest.mark.parametrize("chunk_rows", [100, 10_000])
def test_details_have_1000_faults_and_the_number_of_others(
    service: Service, caller: Caller, chunk_rows: int
) -> None:
    file = posted(service, caller, HEADER + ",0612345678,,web,,101,\n" * 603)
    run_import(service, file, Sizes(chunk_rows, merge_rows=300))
    job = job_of(service, caller, file)
    lines = job["errorReport"].splitlines()
    assert len(lines) == 1001
    assert lines[999:] == ["Row 501: Score must be an integer between 0 and 100", "… and 206 more"]
    assert job["errorCount"] == 603


def test_closed_lead_is_no_duplicate(service: Service, caller: Caller) -> None:
    with service.owner() as connection:
        for status in ("WON", "LOST"):
            connection.query(
                "INSERT INTO dossier (org_id, name, phone, status) VALUES (:org, 'Old', '0612345678', :s)",
                org=caller.org,
                s=status,
            )
    job = service.import_csv(caller, HEADER + "New,+33612345678,,web,,,\n", "OVERWRITE")
    assert counts(job) == (1, 1, 0, 0)
    assert [lead["name"] for lead in service.leads(caller)] == ["Old", "Old", "New"]


def test_import_changes_no_other_organisation(service: Service, caller: Caller) -> None:
    other = Caller()
    service.import_csv(other, HEADER + "Theirs,0612345678,,web,,,\n")
    job = service.import_csv(caller, HEADER + "Ours,0612345678,,web,,,\n", "OVERWRITE")
    assert counts(job) == (1, 1, 0, 0)
    assert [lead["name"] for lead in service.leads(other)] == ["Theirs"]
    assert [lead["name"] for lead in service.leads(caller)] == ["Ours"]


def test_dry_run_counts_rows_and_changes_nothing(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, HEADER + "A,1,,web,,,\nA,1,,web,,,\n,2,,web,,,\n", dryRun="true")
    assert counts(job) == (3, 1, 1, 1)
    assert job["dryRun"] is True
    assert service.leads(caller) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty"),
        (b"\n \n", "The file holds no data"),
        (b"PK\x03\x04...", "an Excel workbook"),
        (b"\x00\x01\x02\x03" * 50, "The file is binary"),
        (b"name,phone\nA,1\n", "Missing required column: source"),
        (b"Name,Nom,phone,source\n", 'The columns "Name" and "Nom" both mean name'),
        (b"hello world\n", "Missing required columns: name, phone, source"),
        (b'name,phone,source\nA,1,web\nB,2,"web\n', "Row 3: a quote"),
        (b"name,phone,source\n\xc3\xa9,1,web\n\xe9,2,web\n", "the byte at offset"),
    ],
)
def test_unusable_file_fails_with_reason_and_imports_nothing(
    service: Service, caller: Caller, content: bytes, reason: str
) -> None:
    job = service.import_csv(caller, content)
    assert job["status"] == "FAILED"
    assert reason in job["failureReason"]
    assert counts(job) == (0, 0, 0, 0)
    assert service.leads(caller) == []


def test_file_with_header_alone_has_no_rows(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, HEADER)
    assert (job["status"], counts(job)) == ("COMPLETED", (0, 0, 0, 0))


def test_header_of_thousands_is_bounded_in_the_history(service: Service, caller: Caller) -> None:
    header = "name,phone,source," + ",".join(f"{n}-{'x' * 100}" for n in range(3000))
    job = service.import_csv(caller, header + "\n")
    assert (len(job["ignoredColumns"]), job["ignoredColumns"][-1]) == (101, "… and 2,900 more")
    assert len(str(job)) < 10_000


@pytest.mark.parametrize("clock", ["0 s", "1 hour"], ids=["right", "wrong"])
def test_stored_white_space_is_no_change(service: Service, caller: Caller, clock: str) -> None:
    """Another program stored it. The import trims the cell, and must not count that as an update."""
    with service.owner() as connection:
        connection.query(
            "INSERT INTO dossier (org_id, name, phone, notes, updated_at) "
            "VALUES (:org, 'A ', ' 06', :notes, now() + CAST(:clock AS interval))",
            org=caller.org,
            notes="line\r\n\u00a0",
            clock=clock,
        )
    before = service.leads(caller)
    assert service.import_csv(caller, service.export_csv(caller), "OVERWRITE")["successCount"] == 1
    assert service.leads(caller) == before


@pytest.mark.parametrize("sizes", [Sizes(), Sizes(chunk_rows=1, merge_rows=1)], ids=["one merge", "two"])
def test_white_space_of_an_earlier_row_is_overwritten(service: Service, caller: Caller, sizes: Sizes) -> None:
    content = HEADER + '"\'\tA",06,,web,,,\nA,06,,web,,,\n'
    run_import(service, posted(service, caller, content, "OVERWRITE"), sizes)
    assert [lead["name"] for lead in service.leads(caller)] == ["A"]


def test_ignored_columns_are_listed(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, "id,name,phone,source,Ville\n1,A,06,web,Lyon\n")
    assert job["ignoredColumns"] == ["id", "Ville"]


def test_text_like_an_escape_is_reported_as_written(service: Service, caller: Caller) -> None:
    """Postgres stores no NUL in a text, so U+FFFD stands for it."""
    written = "C:\\u0000"
    job = service.import_csv(caller, f"name,phone,source,{written},n\0\nAna,06,{written},,\n")
    assert job["ignoredColumns"] == [written, "n\ufffd"]
    assert job["errorReport"] == f"Row 2: Invalid source value: {written}\n"


def test_progress_and_times_are_recorded(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, HEADER + "A,1,,web,,,\n")
    assert job["processedRows"] == 1
    assert job["createdAt"] <= job["startedAt"] <= job["finishedAt"]


def test_import_logs_no_personal_data(service: Service, caller: Caller) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    secrets = ["Zaphod", "0799887766", "zaphod@x.example", "secret-note", "liste-de-zaphod"]
    cells = "0799887766,zaphod@x.example,web,,,secret-note\n"
    rows = f"Zaphod,{cells},{cells}"
    service.import_csv(caller, HEADER + rows, filename="liste-de-zaphod.csv")
    service.import_csv(caller, (HEADER + 'Zaphod,"0799887766').encode())
    service.export_csv(caller)
    logging.getLogger(logger.name).removeHandler(handler)
    logged = log.getvalue()
    assert "import ended" in logged
    assert [secret for secret in secrets if secret in logged] == []
