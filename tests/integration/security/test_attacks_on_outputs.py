"""Check that header lines, formulas and absurd numbers reach no header, no link and no spreadsheet."""

import csv
import functools
import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from leads.domain.lead_filter import EXPORT_COLUMNS
from tests.integration.imports.test_import_leads import BINARY, assert_problem
from tests.support.exports import ROUTE as EXPORT
from tests.support.imports import download, report_of
from tests.support.service import Answer, Caller, Service, multipart

IMPORT = "/api/v1/leads/import"
HISTORIES = (f"{IMPORT}/history", f"{EXPORT}/history")
CSV = b"name,phone,source\nA,1,web\n,2,web\n"
HEADERS = {"Content-Type", "Location", "Retry-After", "Preference-Applied", "Cache-Control", "Link"}
"""The headers that the answers of the API have."""

WAITS = {"import_leads": 25, "export_leads": 20}
"""The longest wait of each function, in seconds."""


def post(service: Service, caller: Caller, headers: dict[str, str], body: bytes, **query: str) -> Answer:
    """Send a file without waiting for it."""
    headers = {"Prefer": "wait=0"} | headers
    return service.request("POST", IMPORT, caller, query=query, headers=headers, body=body)


def assert_clean_headers(answer: Answer, what: object) -> None:
    """Check that no header came from the request."""
    assert answer.headers.keys() <= HEADERS, f"headers after {what!r}: {answer.headers}"
    for name, value in answer.headers.items():
        assert value.isascii(), f"{name} after {what!r}: {value!r}"
        assert value.isprintable(), f"{name} after {what!r}: {value!r}"
        assert "evil" not in value.lower(), f"{name} after {what!r}: {value!r}"


@pytest.mark.parametrize(
    "name",
    [
        "a\r\nX-Evil: 1\r\n\r\n.csv",
        "a\nX-Evil: 1.csv",
        'a"; filename="evil.exe',
        'a\\"; evil="1',
        "a%0d%0aX-Evil: 1.csv",
        "a\u010d\u010aX-Evil: 1.csv",
        "a\u2028X-Evil\u202evsc.exe",
        "é😀; evil=1.csv",
        "<script>evil</script>.csv",
        "${filename}evil",
        "../../evil/upload.csv",
    ],
    ids=[
        "line ends and a header",
        "line feed and a header",
        "quote and a parameter",
        "escaped quote and a parameter",
        "encoded line ends",
        "letters whose low bytes are line ends",
        "line separator and reversed text",
        "letters beyond ASCII",
        "script tag",
        "form variable",
        "parent folders",
    ],
)
def test_filename_of_an_attack_reaches_no_header_key_or_link(
    service: Service, caller: Caller, name: str
) -> None:
    form, body = multipart(CSV, filename=name)
    octets = name.encode()
    latin = octets.decode("latin-1")  # as http.server reads a header
    percent = "".join(f"%{code:02x}" for code in octets)
    answers = [
        post(service, caller, BINARY, CSV, filename=name),
        post(service, caller, BINARY | {"Content-Disposition": f'attachment; filename="{latin}"'}, CSV),
        post(service, caller, BINARY | {"Content-Disposition": f"a; filename*=UTF-8''{percent}"}, CSV),
        post(service, caller, form, body),
    ]
    for answer in answers:
        assert_clean_headers(answer, name)
        if answer.status == 400:
            assert answer is answers[-1], "only a form can be broken by its file's name"
            continue
        job_id = answer.json["importJobId"]
        assert service.keys(f"imports/{caller.org}/{job_id}/") == [
            f"imports/{caller.org}/{job_id}/upload.csv"
        ]
        service.announce(service.version(f"imports/{caller.org}/{job_id}/upload.csv"))
        details = service.request("GET", f"{HISTORIES[0]}/{job_id}", caller)
        assert_clean_headers(details, name)
        assert details.json["filename"].isprintable(), details.json["filename"]
        if details.json["status"] == "FAILED":
            assert answer is answers[-1], "only a form's file can be broken by its name"
            continue
        link = details.json["reportUrl"]
        assert "evil" not in link.lower(), link
        disposition = download(link).headers["Content-Disposition"]
        assert disposition == f'attachment; filename="import_{job_id}_not_imported.csv"'
    assert_clean_headers(service.request("GET", HISTORIES[0], caller, query={"limit": "1"}), name)


def test_preference_with_a_header_line_adds_none_to_the_answer(service: Service, caller: Caller) -> None:
    for header in ('wait=0, x="\r\nX-Evil: 1"', "wait=0; evil=1", 'wait="0", evil', "wait=0,é"):
        answer = post(service, caller, BINARY | {"Prefer": header}, CSV)
        assert (answer.status, answer.headers["Preference-Applied"]) == (202, "wait=0"), header
        assert_clean_headers(answer, header)


@pytest.mark.parametrize(
    "header",
    [
        "wait=999999999999",
        "wait=999999999",
        "wait=-1",
        "wait=1e9",
        "wait=inf",
        "wait=NaN",
        "wait=0x7fffffff",
        f"wait={'9' * 5000}",
        ",".join(["wait=999999999"] * 3000),
        ",".join([f"x{number}=1" for number in range(3000)] + ["wait=999999999"]),
        f"wait{'=' * 5000}9",
        "wait=" + '"' * 5001,
    ],
    ids=[
        "twelve digits",
        "nine digits",
        "negative",
        "exponent",
        "infinity",
        "not a number",
        "hexadecimal",
        "thousands of digits",
        "thousands of waits",
        "thousands of other preferences",
        "thousands of equals signs",
        "thousands of quotes",
    ],
)
def test_absurd_preference_waits_no_longer_than_allowed(
    service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    waits: dict[str, float] = {}

    def note(name: str, function: Callable[..., Any], *arguments: Any, wait: float, **others: Any) -> Any:
        waits[name] = wait
        return function(*arguments, wait=0, **others)

    for name in WAITS:
        service.handler(name)
        module = sys.modules[f"functions.{name}.app"]
        monkeypatch.setattr(module, name, functools.partial(note, name, getattr(module, name)))
    assert post(service, caller, BINARY | {"Prefer": header}, CSV).status == 202
    assert service.request("GET", EXPORT, caller, headers={"Prefer": header}).status == 202
    assert waits.keys() == WAITS.keys()
    assert all(0 <= waits[name] <= limit for name, limit in WAITS.items()), waits


def test_id_of_thousands_of_digits_is_not_found(service: Service, caller: Caller) -> None:
    for path in (HISTORIES[0], EXPORT):
        for id in ("9" * 4301, "0" * 5000 + "1" * 20, "1" * 100_000):
            answer = service.request("GET", f"{path}/{id}", caller)
            assert_problem(answer, 404)
            assert len(answer.body) < 1000, "the answer contains the id"
    for path in HISTORIES:
        for name in ("limit", "cursor"):
            assert_problem(service.request("GET", path, caller, query={name: "9" * 5000}), 400, name)


def test_formulas_of_an_import_are_guarded_in_report_and_export(service: Service, caller: Caller) -> None:
    formulas = [
        '=HYPERLINK("http://evil")',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1)",
        "=1;=2",
        "''=1",
        "=1\n=2",
    ]
    formulas += ["\t=1", "\r=1", "\u00a0=1", "\ufeff=1", "+33 6 12+1", "-1,5-x", "'\t=1"]
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["name", "phone", "source", "email", "lead_source", "notes", "=1+1", "\t@x"])
    for number, text in enumerate(formulas):
        writer.writerow([text, f"=06{number}", "web", text, text, text, text, text])
        writer.writerow([text, f"=06{number}", text, text, text, text, text, text])
    job = service.import_csv(caller, file.getvalue(), "CREATE_NEW")
    assert (job["successCount"], job["errorCount"]) == (len(formulas), len(formulas)), job["failureReason"]
    report = report_of(job)
    exports = [
        list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        for delimiter, text in [
            (",", service.export_csv(caller, columns=",".join(EXPORT_COLUMNS))),
            (";", service.export_csv(caller, format="excel").removeprefix("\ufeff")),
        ]
    ]
    for what, rows in zip(
        ["report", "export", "Excel export"], [[report.header, *report.rows], *exports], strict=True
    ):
        assert len(rows) == len(formulas) + 1, what
        cells = [cell for row in rows for cell in row]
        assert [cell for cell in cells if cell[:1] in ("=", "@", "\t", "\r")] == [], what
        signed = [cell for cell in cells if cell[:1] in ("+", "-")]
        assert [cell for cell in signed if not cell[1:].replace(" ", "").isdigit()] == [], what
