"""Export in each format, for Excel and compressed: the same leads, which can be imported again."""

import csv
import gzip
import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from leads.domain.lead import FIELDS
from tests.support.exports import ROUTE, announce_export, asked, export_of, exported, names, store, store_many
from tests.support.imports import counts, download
from tests.support.service import Caller, Service

MARK = b"\xef\xbb\xbf"
FORMATS = [
    {},
    {"format": "csv", "gzip": "false"},
    {"format": "excel"},
    {"gzip": "true"},
    {"format": "Excel", "gzip": "TRUE"},
]


def store_odd_ones(service: Service, caller: Caller) -> None:
    """Store leads with a difficult cell for each format."""
    odd = [
        "=1+1; 2",
        'a "quoted", cell',
        "line\r\nbreak\n;",
        "é€ \U0001f600",
        "'=x",
        "-1,5",
        "\ufeffmark",
        "a\tb",
        "\t=1",
        "\r@x",
    ]
    for number, cell in enumerate(odd):
        store(
            service,
            caller,
            name=cell,
            phone=f"06 00 00 00 {number:02}",
            notes=cell,
            source="web",
            score=number,
        )


def cells(service: Service, caller: Caller) -> list[list[object]]:
    return [[lead[field] for field in FIELDS] for lead in service.leads(caller)]


def text_of(content: bytes) -> str:
    """Return the content as a CSV file's text, for any format."""
    content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    return content.decode("utf-8")


@pytest.mark.parametrize("query", FORMATS, ids=str)
def test_export_in_every_format_is_imported_with_same_cells(
    service: Service, caller: Caller, query: dict[str, str]
) -> None:
    store_odd_ones(service, caller)
    answer = service.request("GET", ROUTE, caller, query=query)
    assert answer.status == 303
    content = download(answer.json["url"]).data
    assert answer.json["sizeBytes"] == len(content)
    other = Caller()
    job = service.import_csv(other, content, "SKIP")
    assert (job["status"], counts(job)) == ("COMPLETED", (10, 10, 0, 0)), job["errorReport"]
    assert cells(service, other) == cells(service, caller)


@pytest.mark.parametrize("leads", [0, 10])
def test_excel_export_has_bom_and_semicolons(service: Service, caller: Caller, leads: int) -> None:
    if leads:
        store_odd_ones(service, caller)
    plain = service.export_csv(caller)
    content = exported(service.request("GET", ROUTE, caller, query={"format": "excel"}).json)
    assert content.startswith(MARK + b"id;name;phone;email;")
    text = content.removeprefix(MARK).decode()
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert rows == list(csv.reader(io.StringIO(plain, newline="")))
    assert len(rows) == leads + 1


@pytest.mark.parametrize("query", [{}, {"format": "excel"}], ids=str)
def test_gzip_export_has_its_name_and_the_same_bytes(
    service: Service, caller: Caller, query: dict[str, str]
) -> None:
    store_odd_ones(service, caller)
    plain = exported(service.request("GET", ROUTE, caller, query=query).json)
    answer = service.request("GET", ROUTE, caller, query=query | {"gzip": "true"})
    filename = answer.json["filename"]
    assert re.fullmatch(r"leads_export_\d{8}_\d{6}\.csv\.gz", filename)
    assert service.keys(f"exports/{caller.org}/{answer.json['id']}/") == [
        f"exports/{caller.org}/{answer.json['id']}/{filename}"
    ]
    link = parse_qs(urlsplit(answer.json["url"]).query)
    assert link["response-content-type"] == ["application/gzip"]
    assert link["response-content-disposition"] == [f'attachment; filename="{filename}"']
    stored = download(answer.json["url"])
    assert stored.headers["Content-Type"] == "application/gzip"
    assert "Content-Encoding" not in stored.headers, "a browser would save it decompressed, named .gz"
    assert answer.json["sizeBytes"] == len(stored.data)
    assert gzip.decompress(stored.data) == plain


@pytest.mark.parametrize("query", FORMATS, ids=str)
def test_handed_over_export_has_the_ordered_format(
    service: Service, caller: Caller, query: dict[str, str]
) -> None:
    store_odd_ones(service, caller)
    at_once = service.request("GET", ROUTE, caller, query=query).json
    request = asked(service, caller, **query)
    announce_export(service, request)
    export = export_of(service, caller, request)
    assert text_of(exported(export)) == text_of(exported(at_once))
    assert (export["rowCount"], export["sizeBytes"]) == (10, len(exported(at_once)))
    assert export["filename"].partition(".")[2] == at_once["filename"].partition(".")[2]


def test_large_gzip_export_is_complete(service: Service, caller: Caller) -> None:
    leads = 3000
    store_many(service, caller, leads)
    with service.owner() as connection:
        # Incompressible notes, so that the file is larger than a part.
        connection.query(
            "UPDATE dossier SET notes = (SELECT string_agg(md5(dossier.id::text || n::text), '') "
            "FROM generate_series(1, 150) AS n) WHERE org_id = :org",
            org=caller.org,
        )
    export = service.request("GET", ROUTE, caller, query={"gzip": "true"}).json
    assert export["sizeBytes"] > 5 * 1024 * 1024
    text = text_of(exported(export))
    assert names(text) == [f"L{number}" for number in range(1, leads + 1)]
    assert text == service.export_csv(caller)
