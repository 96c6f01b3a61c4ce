"""Import small odd files of people and programs, and compare each with its expectation.

tests/data/csv has the files, each with a .json: status, counts (total, success, error, skipped), errors,
duplicate rows, leads with their filled cells, ignored columns, or a part of the failure's reason.
"""

import io
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from leads.domain.lead import FIELDS
from leads.errors import InvalidFile
from leads.formats.reader import LeadReader
from tests.support.imports import counts, report_of
from tests.support.service import ROOT, Caller, Service

FOLDER = ROOT / "tests/data/csv"
FILES = sorted(FOLDER.glob("*.csv*"))
NAMES = [path.name.partition(".")[0] for path in FILES]


def expectation(path: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads((FOLDER / f"{path.name.partition('.')[0]}.json").read_text())
    return expected


def test_corpus_file_has_its_expectation_and_reason() -> None:
    assert len(set(NAMES)) == len(NAMES) > 35
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(NAMES)
    assert [path.name for path in FILES if not expectation(path)["why"]] == []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_corpus_file_is_imported_as_expected(service: Service, caller: Caller, path: Path) -> None:
    job = service.import_csv(caller, path.read_bytes(), filename=path.name)
    check(service, caller, job, expectation(path))


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_corpus_file_in_chunks_of_one_row_is_read_the_same(path: Path) -> None:
    assert read(path.read_bytes(), chunk_rows=1) == read(path.read_bytes(), chunk_rows=10_000)


def read(content: bytes, chunk_rows: int) -> tuple[object, ...]:
    """Return all that is read of a file, or why it is refused. Rows before a refusal depend on the chunks."""
    try:
        reader = LeadReader(io.BytesIO(content), chunk_rows=chunk_rows)
        chunks = list(reader.chunks())
    except InvalidFile as refusal:
        return refusal.code, str(refusal)
    numbered = [
        (row, record, lead)
        for chunk in chunks
        for row, record, lead in zip(count(chunk.first_row), chunk.records, chunk.leads, strict=False)
    ]
    faulty = [chunk.first_row + at for chunk in chunks for at in chunk.faulty]
    errors = [error for chunk in chunks for error in chunk.errors]
    return reader.fields, reader.ignored_columns, reader.report_format, numbered, faulty, errors


def check(service: Service, caller: Caller, job: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare a job and its leads with an expectation."""
    why = expected["why"]
    assert job["status"] == expected["status"], (why, job)
    if job["status"] == "FAILED":
        assert expected["failure"] in job["failureReason"], why
    else:
        assert job["errorReport"].splitlines() == expected["errors"], why
        assert job["ignoredColumns"] == expected["ignoredColumns"], why
        assert reported(job) == {
            **{int(line.split()[1].rstrip(":")): "error" for line in expected["errors"]},
            **dict.fromkeys(expected["duplicates"], "duplicate"),
        }, why
    assert list(counts(job)) == expected["counts"], why
    leads = service.leads(caller)
    wanted = expected.get("leads", [])
    for lead, cells in zip(leads, wanted, strict=False):
        keys = ("phone_key",) if "phone_key" in cells else ()
        filled = {name: lead[name] for name in (*FIELDS, *keys) if lead[name] is not None}
        assert filled == cells, why
    assert len(leads) == len(wanted), why


def reported(job: dict[str, Any]) -> dict[int, str]:
    """Return the outcomes in the report, whatever its delimiter."""
    if job["reportUrl"] is None:
        return {}
    parts_by = report_of(job).text.removeprefix("\ufeff")[len("row")]
    return report_of(job, parts_by).outcomes
