"""Write a job's report: the rows that were not imported, ready to be corrected and sent again."""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from leads.formats.header import REPORT_COLUMNS
from leads.formats.report import DUPLICATE_REASON
from leads.import_engine.sizes import Sizes
from leads.jobs.outcome import COMPLETED
from leads.s3.keys import report_key
from tests.integration.imports.test_import_leads import announce_when_stored, assert_problem
from tests.support.imports import counts, download, job_of, report_of, run_import, uploaded
from tests.support.service import Caller, Service, multipart

HISTORY = "/api/v1/leads/import/history"
HEADER = "name,phone,email,source,lead_source,score,notes\n"

MIXED = (
    "ref,Nom,Téléphone,Source,Commentaire\r\n"
    "1,Ana,06 12 34 56 78,web,\r\n"
    '=1+1,  Bob ,+33612345678,web,"two\nlines, ""q"""\r\n'
    "\r\n"
    "3,,none,nowhere,@x\r\n"
    "4,Carl,0612345679,web,,,x\r\n"
    "5,Dora\r\n"
    "6,Eve,0612345670,web,\r\n"
    "7,Fay,0612345670,web,\r\n"
)
MIXED_REPORT = (
    "row,outcome,reason,ref,Nom,Téléphone,Source,Commentaire\r\n"
    f'3,duplicate,{DUPLICATE_REASON},\'=1+1,Bob,+33612345678,web,"two\nlines, ""q"""\r\n'
    "5,error,Name is required; Phone must contain a digit; Invalid source value: nowhere,"
    "3,,none,nowhere,'@x\r\n"
    '6,error,"Row has 7 cells, the header has 5",4,Carl,0612345679,web,,,x\r\n'
    "7,error,Phone is required; Source is required,5,Dora\r\n"
    f"9,duplicate,{DUPLICATE_REASON},7,Fay,0612345670,web,\r\n"
)


def listed(service: Service, caller: Caller) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = service.request("GET", HISTORY, caller).json
    return jobs


def test_report_has_rejected_rows_in_file_order_with_all_cells(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, MIXED)
    assert counts(job) == (7, 2, 3, 2)
    assert report_of(job).text == MIXED_REPORT


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 20])
def test_report_has_duplicates_and_faults_in_order(service: Service, caller: Caller, chunk_rows: int) -> None:
    phones = ["0612345678", "0123456789", "0700000000", "0800000000"]
    again = [
        "+33612345678",
        "01 23 45 67 89",
        "06.12.34.56.78",
        "+33 (0)1 23 45 67 89",
        "06 12 34 56 78",
        "15",
    ]
    content = "".join(f"A,{phone},web\n" for phone in [*phones, *again, "15", "07-00-00-00-00"])
    file = uploaded(service, caller, f"name,phone,source\n{content}".encode())
    sizes = Sizes(chunk_rows=chunk_rows, merge_rows=20, phone_filter_bytes=0)
    assert run_import(service, file, sizes).ended == COMPLETED
    job = job_of(service, caller, file)
    assert counts(job) == (12, 5, 0, 7)
    assert [row[0] for row in report_of(job).rows] == ["6", "7", "8", "9", "10", "12", "13"]
    assert len(service.leads(caller)) == 5


def test_report_of_merges_without_new_rows_is_complete(service: Service, caller: Caller) -> None:
    rows = "A,06 12 34 56 78,web\n" * 10
    file = uploaded(service, caller, f"name,phone,source\n{rows}".encode())
    assert (
        run_import(service, file, Sizes(chunk_rows=1, merge_rows=1, phone_filter_bytes=0)).ended == COMPLETED
    )
    job = job_of(service, caller, file)
    assert counts(job) == (10, 1, 0, 9)
    assert report_of(job).outcomes == dict.fromkeys(range(3, 12), "duplicate")


@pytest.mark.parametrize("strategy", ["OVERWRITE", "CREATE_NEW"])
def test_report_omits_duplicates_that_were_imported(service: Service, caller: Caller, strategy: str) -> None:
    job = service.import_csv(caller, MIXED, strategy)
    assert report_of(job).outcomes == {5: "error", 6: "error", 7: "error"}


def test_report_link_is_in_answer_list_and_details(service: Service, caller: Caller) -> None:
    s3 = announce_when_stored(service, caller)
    headers, body = multipart(MIXED.encode())
    answer = service.request("POST", "/api/v1/leads/import", caller, headers=headers, body=body)
    s3.join()
    (summary,) = listed(service, caller)
    details = service.job(caller, summary["id"])
    for job in (answer.json, summary, details):
        assert report_of(job).text == MIXED_REPORT


def test_report_link_is_a_named_download_for_15_minutes(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, MIXED)
    answer = download(job["reportUrl"])
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="import_{job["id"]}_not_imported.csv"'
    )
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert parse_qs(urlsplit(job["reportUrl"]).query)["X-Amz-Expires"] == ["900"]


def test_report_link_is_signed_anew_for_each_answer(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, MIXED)
    time.sleep(1.1)
    for later in (service.job(caller, job["id"]), listed(service, caller)[0]):
        first, second = (parse_qs(urlsplit(one["reportUrl"]).query) for one in (job, later))
        assert first["X-Amz-Date"] < second["X-Amz-Date"]
        assert first["X-Amz-Signature"] != second["X-Amz-Signature"]


@pytest.mark.parametrize("content", [HEADER, HEADER + "A,1,,web,,,\n\n,,\nB,2,,web,,,\n"])
def test_import_of_every_row_has_no_report(service: Service, caller: Caller, content: str) -> None:
    job = service.import_csv(caller, content)
    assert job["status"] == "COMPLETED"
    assert (job["reportUrl"], listed(service, caller)[0]["reportUrl"]) == (None, None)
    assert service.keys(f"reports/{caller.org}/") == []


@pytest.mark.parametrize(
    ("content", "report"),
    [
        (b"name;phone;source\r\n;1;web\r\n", "\ufeffrow;outcome;reason;name;phone;source\r\n"),
        (
            "Nom;Téléphone;Source\r\n;1;web\r\n".encode("cp1252"),
            "\ufeffrow;outcome;reason;Nom;Téléphone;Source\r\n",
        ),
        (b"name\tphone\tsource\n\t1\tweb\n", "\ufeffrow\toutcome\treason\tname\tphone\tsource\r\n"),
        (b"name|phone|source\n|1|web\n", "\ufeffrow|outcome|reason|name|phone|source\r\n"),
        (b"sep=;\r\nname;phone;source\r\n;1;web\r\n", "\ufeffrow;outcome;reason;name;phone;source\r\n"),
        (b"sep=#\nname#phone#source\n#1#web\n", "row,outcome,reason,name,phone,source\r\n"),
        (b"name,phone,source\n,1,web\n", "row,outcome,reason,name,phone,source\r\n"),
        (b"\xef\xbb\xbfname,phone,source\n,1,web\n", "\ufeffrow,outcome,reason,name,phone,source\r\n"),
        (
            "\ufeffname,phone,source\n,1,web\n".encode("utf-16-le"),
            "\ufeffrow,outcome,reason,name,phone,source\r\n",
        ),
    ],
    ids=[
        "semicolons",
        "Windows-1252",
        "tabs",
        "pipes",
        "sep=;",
        "sep=#",
        "commas",
        "marked commas",
        "UTF-16",
    ],
)
def test_report_has_delimiter_and_bom_of_its_file(
    service: Service, caller: Caller, content: bytes, report: str
) -> None:
    delimiter = report.removeprefix("\ufeff")[len("row")]
    row = delimiter.join(["2", "error", "Name is required", "", "1", "web"])
    job = service.import_csv(caller, content)
    assert report_of(job, delimiter).text == f"{report}{row}\r\n"


def test_dry_run_has_a_report(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, MIXED, dryRun="true")
    assert counts(job) == (7, 2, 3, 2)
    assert report_of(job).text == MIXED_REPORT
    assert service.leads(caller) == []


def test_corrected_report_is_imported(service: Service, caller: Caller) -> None:
    text = report_of(service.import_csv(caller, MIXED)).text
    corrections = {
        "3,,none,nowhere": "3,Cleo,06 00 00 00 03,email",
        "web,,,x": "web,x",
        "5,Dora": "5,Dora,06 00 00 00 05,WALK_IN",
    }
    for wrong, right in corrections.items():
        assert wrong in text
        text = text.replace(wrong, right)

    job = service.import_csv(caller, text, "OVERWRITE")

    assert counts(job) == (5, 5, 0, 0)
    assert job["reportUrl"] is None
    assert job["ignoredColumns"] == ["ref"]
    assert [(lead["name"], lead["phone"], lead["notes"]) for lead in service.leads(caller)] == [
        ("Bob", "+33612345678", 'two\nlines, "q"'),
        ("Fay", "0612345670", None),
        ("Cleo", "06 00 00 00 03", "@x"),
        ("Carl", "0612345679", "x"),
        ("Dora", "06 00 00 00 05", None),
    ]


NAMES = [
    "=1",
    "'=1",
    "''=1",
    "'ok",
    "+33 6",
    "-x",
    "'-x",
    "\tAna",
    " =1 ",
    " '=1 ",
    "\r=1",
    "'\t1",
    "@\u00a0",
]


def test_corrected_row_is_the_same_lead_as_in_its_first_file(service: Service, caller: Caller) -> None:
    def file(source: str) -> str:
        return "name,phone,source\n" + "".join(f'"{name}",{n},{source}\n' for n, name in enumerate(NAMES))

    service.import_csv(caller, file("web"))
    corrected = Caller()
    report = report_of(service.import_csv(corrected, file("wbe")))
    assert len(report.rows) == len(NAMES)
    service.import_csv(corrected, report.text.replace(",wbe", ",web"))
    expected = [lead["name"] for lead in service.leads(caller)]
    assert [lead["name"] for lead in service.leads(corrected)] == expected


def test_report_of_a_report_has_the_first_file_columns(service: Service, caller: Caller) -> None:
    rows = "1,Ana,1,web\n=2,  Bob ,1,web\n\n@3,,none,x\n4,Carl,2,web,,x\n5,Dora\n"
    first = report_of(service.import_csv(caller, f"-ref,name,phone,source\n{rows}"))
    text = first.text.replace("5,Dora", "5,Dora,3,web")
    for _ in range(2):
        report = report_of(service.import_csv(caller, text))
        assert report.header == [*REPORT_COLUMNS, "'-ref", "name", "phone", "source"]
        assert [row[1:2] + row[3:] for row in report.rows] == [
            ["duplicate", "'=2", "Bob", "1", "web"],
            ["error", "'@3", "", "none", "x"],
            ["error", "4", "Carl", "2", "web", "", "x"],
        ]
        assert [row[0] for row in report.rows] == ["2", "3", "4"]
        text = report.text
    assert [lead["name"] for lead in service.leads(caller)] == ["Ana", "Dora"]


def test_report_column_names_of_a_file_are_its_own(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, "name,phone,source,row,outcome,reason\n,1,web,a,b,c\n")
    assert job["ignoredColumns"] == [*REPORT_COLUMNS]
    assert report_of(job).header == [*REPORT_COLUMNS, "name", "phone", "source", *REPORT_COLUMNS]


def test_report_is_in_the_folder_of_its_organisation(service: Service, caller: Caller) -> None:
    job = service.import_csv(caller, MIXED)
    assert service.keys(f"reports/{caller.org}/") == [report_key(caller.org, job["id"])]
    stranger = Caller()
    assert_problem(service.request("GET", f"{HISTORY}/{job['id']}", stranger), 404)
    assert listed(service, stranger) == []
