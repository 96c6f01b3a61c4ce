"""Check that SQL in any input is refused by the name of its field, or stored as plain text."""

import csv
import io
import json
from typing import Any

import pytest

from leads.domain.filename import clean_filename
from tests.integration.imports.test_import_leads import BINARY, assert_problem
from tests.integration.security.test_attacks_on_outputs import post
from tests.support.exports import ROUTE as EXPORT
from tests.support.exports import store
from tests.support.imports import counts, report_of
from tests.support.service import Caller, Service, multipart

IMPORT = "/api/v1/leads/import"
HISTORIES = (f"{IMPORT}/history", f"{EXPORT}/history")
CSV = b"name,phone,source\nA,1,web\n,2,web\n"
SQL = (
    "'; DROP TABLE dossier, import_job, export_job CASCADE; --",
    "x') ; UPDATE dossier SET name = 'hacked'; --",
    "' OR '1'='1",
    '"; DROP TABLE dossier; --',
    "$$; DROP TABLE dossier; $$",
    "E'\\'; DROP TABLE dossier; --",
    "\\'; DROP TABLE dossier; --",
    ":org_id || :id || %s || $1 || {0} || ?",
    "*/ DROP TABLE dossier; /*",
)
SQL_IDS = (
    "drop tables after a quote",
    "update after a parenthesis",
    "condition that is always true",
    "drop table after a double quote",
    "drop table in dollar quotes",
    "drop table after an escape string",
    "drop table after a backslash",
    "placeholders",
    "drop table after a comment",
)
TABLES = "SELECT count(*) FROM pg_tables WHERE tablename IN ('dossier', 'import_job', 'export_job')"


@pytest.fixture
def bystander(service: Service) -> Caller:
    """Return a caller whose lead an attack on the database would change or disclose."""
    bystander = Caller()
    store(service, bystander, name="Bystander")
    return bystander


def assert_unharmed(service: Service, bystander: Caller, what: object) -> None:
    """Check that the tables and the bystander's lead are unchanged."""
    with service.owner() as connection:
        assert connection.query_value(TABLES) == 3, f"a table is gone after {what!r}"
    assert [lead["name"] for lead in service.leads(bystander)] == ["Bystander"], what


@pytest.mark.parametrize("text", SQL, ids=SQL_IDS)
def test_sql_in_a_parameter_is_refused_by_its_name(
    service: Service, caller: Caller, bystander: Caller, text: str
) -> None:
    columns = ("status", "source", "startDate", "endDate", "columns", "format", "gzip")
    requests: list[tuple[str, str, dict[str, Any], str]] = [
        *(("GET", EXPORT, {"query": {name: text}}, name) for name in columns),
        ("GET", EXPORT, {"query": {"columns": f"name,{text}"}}, "columns"),
        *(("GET", path, {"query": {name: text}}, name) for path in HISTORIES for name in ("limit", "cursor")),
        *(("GET", path, {"query": {"status": text}}, "status") for path in HISTORIES),
        *(("GET", path, {"query": {text: "1"}}, text) for path in (EXPORT, *HISTORIES)),
        ("POST", IMPORT, {"query": {"mergeStrategy": text}, "headers": BINARY}, "mergeStrategy"),
        ("POST", IMPORT, {"query": {"dryRun": text}, "headers": BINARY}, "dryRun"),
    ]
    for field in ("mergeStrategy", "dryRun"):
        headers, body = multipart(CSV, **{field: text})
        requests.append(("POST", IMPORT, {"headers": headers, "body": body}, field))
        upload = {"headers": {"Content-Type": "application/json"}}
        wrong = json.dumps({"filename": "x.csv", field: text}).encode()
        requests.append(("POST", f"{IMPORT}/uploads", upload | {"body": wrong}, field))
    for method, path, request, field in requests:
        document = assert_problem(service.request(method, path, caller, **request), 400)
        assert [error["field"] for error in document["errors"]] == [field], (method, path, request)
    if "/" not in text:
        for path in (HISTORIES[0], EXPORT):
            # Powertools' router knows no path with some of these characters.
            assert service.request("GET", f"{path}/{text}", caller).status in (400, 404), path
    for path in HISTORIES:
        assert service.request("GET", path, caller).json == [], "a refused request created a job"
    assert_unharmed(service, bystander, text)


@pytest.mark.parametrize("text", SQL, ids=SQL_IDS)
def test_sql_in_a_filename_or_header_is_stored_as_text(
    service: Service, caller: Caller, bystander: Caller, text: str
) -> None:
    evil = Caller(org=caller.org, user=text)
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    form, body = multipart(CSV, filename=quoted)
    disposition = BINARY | {"Content-Disposition": f'attachment; filename="{quoted}"'}
    json_body = json.dumps({"filename": text}).encode()
    answers = [
        post(service, evil, BINARY, CSV, filename=text),
        post(service, evil, disposition, CSV),
        post(service, evil, form, body),
        service.request(
            "POST", f"{IMPORT}/uploads", evil, headers={"Content-Type": "application/json"}, body=json_body
        ),
    ]
    for answer in answers:
        assert answer.status in (201, 202), answer
        job = service.job(caller, answer.json["importJobId"])
        assert (job["filename"], job["createdBy"]) == (clean_filename(text), text)
    for name in ("Accept", "Prefer", "User-Agent", "X-Forwarded-For"):
        headers = {"Prefer": "wait=0"} | {name: f'wait=0, x="{quoted}"'}
        assert service.request("GET", EXPORT, evil, headers=headers).status == 202, name
    exports = service.request("GET", HISTORIES[1], caller).json
    assert [export["createdBy"] for export in exports] == [text] * 4
    assert_unharmed(service, bystander, text)


@pytest.mark.parametrize("strategy", ["SKIP", "OVERWRITE", "CREATE_NEW"])
def test_sql_in_a_file_is_stored_as_text(
    service: Service, caller: Caller, bystander: Caller, strategy: str
) -> None:
    for number, text in enumerate((*SQL, "\\N", "\\.", "NULL", '{"a": [1]}', "a\tb", "%(x)s")):
        attacker = Caller(org=f"{caller.org}-{number}")
        file = io.StringIO(newline="")
        columns = ("name", "phone", "source", "email", "lead_source", "notes")
        lead = {"name": text, "phone": "06'); --", "source": "web"} | dict.fromkeys(columns[3:], text)
        writer = csv.writer(file)
        writer.writerow([*columns, f"{text} "])
        writer.writerow([*lead.values(), text])
        writer.writerow([text, "1", text[:90], text, text, text, text])
        job = service.import_csv(attacker, file.getvalue(), strategy)
        assert (counts(job), job["ignoredColumns"]) == ((2, 1, 1, 0), [text[:60]]), text
        (stored,) = service.leads(attacker)
        assert {name: stored[name] for name in columns} == lead, text
        assert job["errorReport"] == f"Row 3: Invalid source value: {text}\n"
        assert report_of(job).rows[0][3:] == [text, "1", *[text] * 5]
        (exported,) = csv.DictReader(io.StringIO(service.export_csv(attacker), newline=""))
        assert {name: exported[name] for name in columns} == lead, text
        assert_unharmed(service, bystander, text)
