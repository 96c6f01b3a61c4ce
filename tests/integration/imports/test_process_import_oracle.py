"""Compare the set-based engine with the sequential oracle on random files, leads and strategies."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.domain.import_job import ImportCounts
from leads.domain.lead import FIELDS, LeadSource, LeadStatus
from leads.domain.merge_strategy import MergeStrategy
from leads.import_engine.sizes import LARGE_BYTES, Sizes
from tests.support.import_oracle import StoredLead, import_rows
from tests.support.imports import job_of, posted, report_of, run_import
from tests.support.lead_row import LeadRow
from tests.support.service import Caller, Service

# Few phones in several notations, so that rows are often duplicates: within a chunk, a merge or the file, or
# of a stored lead.
PHONES = {
    "06 12 34 56 78": "+33612345678",
    "+33612345678": "+33612345678",
    "0033 (0)6.12.34.56.78": "+33612345678",
    "0690 12 34 56": "+590690123456",
    "+590 690 12 34 56": "+590690123456",
    "12345": "12345",
    "1 23-45": "12345",
    "07.98.76.54.32": "+33798765432",
}
USER = "ana@agency.example"
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
NOW = 10**5
FUTURE = 2 * 10**5
"""Days after EPOCH: the oracle's clock. The engine's now lies between the last of the past and FUTURE."""

phones = st.sampled_from(sorted(PHONES))
one_phone = st.sampled_from([phone for phone, key in sorted(PHONES.items()) if key == "+33612345678"])
optional = st.sampled_from(["", "a", "b"])
scores = st.sampled_from(["", "0", "7", "100"])
sources = st.sampled_from([LeadSource.WEB, LeadSource.PHONE])
# Outer white space only where the formula guard protects it.
KEPT = "\tA"
names = st.sampled_from(["A", "A", "B", KEPT])
rows = st.builds(LeadRow, names, phones, optional, sources, optional, scores, optional)
FAULTY = LeadRow("", "no digit", "=1", "nowhere", "", "101", "")
REASONS = {
    "error": "Name is required; Phone must contain a digit; Invalid source value: nowhere; "
    "Score must be an integer between 0 and 100",
    "duplicate": "Phone belongs to an active lead or to an earlier row",
}
BLANK = LeadRow("", "", "", "", "", "", "")
row_or_not = st.one_of(rows, rows, rows, rows, st.sampled_from([FAULTY, BLANK]))
# By default Hypothesis generates lists of about five items.
files = st.one_of(st.lists(row_or_not, max_size=3), *[st.lists(row_or_not, min_size=5, max_size=13)] * 3)
stored_leads = st.lists(
    st.builds(
        StoredLead,
        name=st.sampled_from(["A", "B", "C"]),
        # Half of them share one phone, so that a row often has several duplicates.
        phone=one_phone | phones,
        phone_key=st.just(""),
        email=st.sampled_from([None, "a", "c"]),
        source=sources,
        lead_source=st.sampled_from([None, "a"]),
        score=st.sampled_from([None, 7]),
        notes=st.sampled_from([None, "b"]),
        status=st.sampled_from(sorted(LeadStatus)),
        # The last one is from a program with a wrong clock.
        updated=st.sampled_from([0, 1, 2, 3, FUTURE]),
        updated_by=st.just("someone@agency.example"),
    ).map(lambda lead: StoredLead(**{**vars(lead), "phone_key": PHONES[lead.phone]})),
    max_size=6,
)


@st.composite
def leads_and_files(draw: st.DrawFn) -> tuple[list[StoredLead], list[LeadRow]]:
    """Generate stored leads, and a file in which some rows repeat a stored lead's cells."""
    stored = draw(stored_leads)
    file = draw(files)
    for lead in draw(st.lists(st.sampled_from(stored), max_size=4)) if stored else []:
        phone = draw(st.sampled_from([phone for phone, key in PHONES.items() if key == lead.phone_key]))
        score = "" if lead.score is None else str(lead.score)
        cells = (lead.email or "", lead.source, lead.lead_source or "", score, lead.notes or "")
        file.insert(draw(st.integers(0, len(file))), LeadRow(lead.name, phone, *cells))
    return stored, file


# OVERWRITE makes the most decisions.
strategies = st.sampled_from([*MergeStrategy, MergeStrategy.OVERWRITE])
sizes = st.builds(
    Sizes,
    chunk_rows=st.integers(1, 13),
    merge_rows=st.integers(1, 13),
    # Either all rows are looked up, or only possible duplicates.
    phone_filter_bytes=st.sampled_from([0, LARGE_BYTES]),
)


@pytest.mark.slow
@given(leads_and_files(), strategies, sizes)
@settings(max_examples=2000, deadline=None)
def test_engine_agrees_with_the_oracle_on_thousands_of_files(
    service: Service,
    leads_and_file: tuple[list[StoredLead], list[LeadRow]],
    strategy: MergeStrategy,
    sizes: Sizes,
) -> None:
    _check(service, *leads_and_file, strategy, sizes)


@given(leads_and_files(), strategies, sizes)
@settings(max_examples=30, deadline=None)
def test_engine_agrees_with_the_oracle(
    service: Service,
    leads_and_file: tuple[list[StoredLead], list[LeadRow]],
    strategy: MergeStrategy,
    sizes: Sizes,
) -> None:
    _check(service, *leads_and_file, strategy, sizes)


@given(leads_and_files(), strategies, sizes)
@settings(max_examples=15, deadline=None)
def test_engine_with_reader_process_agrees_with_the_oracle(
    service: Service,
    leads_and_file: tuple[list[StoredLead], list[LeadRow]],
    strategy: MergeStrategy,
    sizes: Sizes,
) -> None:
    _check(service, *leads_and_file, strategy, sizes._replace(reader_process_bytes=0))


def _check(
    service: Service, stored: list[StoredLead], file: list[LeadRow], strategy: MergeStrategy, sizes: Sizes
) -> None:
    caller = Caller()
    _store(service, caller, stored)
    stored_file = posted(service, caller, _csv(file), strategy)

    run_import(service, stored_file, sizes)

    job = job_of(service, caller, stored_file)
    numbered = {row: cells for row, cells in enumerate(file, start=2) if cells != BLANK}
    keyed = {
        row: None if cells == FAULTY else (cells, PHONES[cells.phone]) for row, cells in numbered.items()
    }
    expected = import_rows(stored, keyed, strategy, user=USER, now=NOW)
    assert job["status"] == "COMPLETED", job
    assert ImportCounts(job["successCount"], job["errorCount"], job["skippedCount"]) == expected.counts
    assert _read(service, caller) == expected.leads
    assert job["errorReport"].splitlines() == [
        f"Row {row}: {fault}"
        for row, outcome in expected.not_imported.items()
        if outcome == "error"
        for fault in REASONS[outcome].split("; ")
    ]
    assert _reported(job) == [
        [str(row), outcome, REASONS[outcome], *_guarded(numbered[row])]
        for row, outcome in expected.not_imported.items()
    ]


def _reported(job: dict[str, Any]) -> list[list[str]]:
    return report_of(job).rows if job["reportUrl"] else []


def _guarded(cells: LeadRow) -> list[str]:
    """Guard the cells as a report does: a faulty row has one that a spreadsheet would run."""
    return [f"'{cell}" if cell in (FAULTY.email, KEPT) else cell for cell in cells]


def _csv(file: list[LeadRow]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(
        [FIELDS, *([f"'{KEPT}" if cell == KEPT else cell for cell in row] for row in file)]
    )
    return text.getvalue()


def _store(service: Service, caller: Caller, leads: list[StoredLead]) -> None:
    with service.owner() as connection:
        for lead in leads:
            values = {
                name: value for name, value in vars(lead).items() if name not in ("phone_key", "updated")
            }
            names = ", ".join(["org_id", "updated_at", *values])
            slots = ", ".join([":org_id", ":updated_at", *(f":{name}" for name in values)])
            connection.query(
                f"INSERT INTO dossier ({names}) VALUES ({slots})",  # noqa: S608
                org_id=caller.org,
                updated_at=EPOCH + timedelta(days=lead.updated),
                **values,
            )


def _read(service: Service, caller: Caller) -> list[StoredLead]:
    leads = []
    for record in service.leads(caller):
        updated = record["updated_at"]
        assert isinstance(updated, datetime)
        days = (updated - EPOCH).days
        values = {name: record[name] for name in StoredLead.__dataclass_fields__ if name != "updated"}
        leads.append(StoredLead(**values, updated=days if days <= 3 or days == FUTURE else NOW))  # type: ignore[arg-type]
    return leads
