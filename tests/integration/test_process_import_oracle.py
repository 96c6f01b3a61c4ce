"""The set-based engine against the sequential oracle: random files, chunk sizes, leads and strategies."""

import csv
import io
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads.domain.import_job import ImportCounts
from leads.domain.lead import FIELDS, LeadSource, LeadStatus
from leads.domain.merge_strategy import MergeStrategy
from leads.s3.keys import import_key
from leads.use_cases.process_import import process_import
from tests.support.import_oracle import StoredLead, import_rows
from tests.support.lead_row import LeadRow
from tests.support.service import Caller, Service

# Writings of few phones, so that most rows meet another one: in the same chunk, in another, or stored.
PHONES = {
    "06 12 34 56 78": "+33612345678",
    "+33612345678": "+33612345678",
    "0033 (0)6.12.34.56.78": "+33612345678",
    "0690 12 34 56": "+590690123456",
    "+590 690 12 34 56": "+590690123456",
    "12345": "12345",
    "1 23-45": "12345",
}
USER = "ana@agency.example"
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
NOW = 10**5
FUTURE = 2 * 10**5
"""Days after EPOCH: the oracle's clock. The engine's now lies between the last of the past and FUTURE."""

phones = st.sampled_from(sorted(PHONES))
optional = st.sampled_from(["", "a", "b"])
scores = st.sampled_from(["", "0", "7", "100"])
sources = st.sampled_from([LeadSource.WEB, LeadSource.PHONE])
rows = st.builds(LeadRow, st.sampled_from(["A", "B"]), phones, optional, sources, optional, scores, optional)
faulty = st.just(LeadRow("", "no digit", "", "nowhere", "", "101", ""))
files = st.lists(st.one_of(rows, rows, rows, faulty), max_size=12)
stored_leads = st.lists(
    st.builds(
        StoredLead,
        name=st.sampled_from(["A", "B", "C"]),
        phone=phones,
        phone_key=st.just(""),
        email=st.sampled_from([None, "a", "c"]),
        source=sources,
        lead_source=st.sampled_from([None, "a"]),
        score=st.sampled_from([None, 7]),
        notes=st.sampled_from([None, "b"]),
        status=st.sampled_from(sorted(LeadStatus)),
        # The last one is of a program whose clock is wrong.
        updated=st.sampled_from([0, 1, 2, 3, FUTURE]),
        updated_by=st.just("someone@agency.example"),
    ).map(lambda lead: StoredLead(**{**vars(lead), "phone_key": PHONES[lead.phone]})),
    max_size=6,
)


@st.composite
def leads_and_files(draw: st.DrawFn) -> tuple[list[StoredLead], list[LeadRow]]:
    """Stored leads and a file of which some rows say of a stored lead what is known of it already."""
    stored = draw(stored_leads)
    file = draw(files)
    for lead in draw(st.lists(st.sampled_from(stored), max_size=4)) if stored else []:
        phone = draw(st.sampled_from([phone for phone, key in PHONES.items() if key == lead.phone_key]))
        score = "" if lead.score is None else str(lead.score)
        cells = (lead.email or "", lead.source, lead.lead_source or "", score, lead.notes or "")
        file.insert(draw(st.integers(0, len(file))), LeadRow(lead.name, phone, *cells))
    return stored, file


@given(
    leads_and_file=leads_and_files(),
    strategy=st.sampled_from(MergeStrategy),
    chunk_rows=st.integers(1, 13),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_engine_agrees_with_the_sequential_oracle(
    service: Service,
    leads_and_file: tuple[list[StoredLead], list[LeadRow]],
    strategy: MergeStrategy,
    chunk_rows: int,
) -> None:
    stored, file = leads_and_file
    caller = Caller()
    _store(service, caller, stored)
    job_id = service.post_csv(caller, _csv(file), strategy)

    process_import(
        service.version(import_key(caller.org, job_id)),
        database=service.database,
        bucket=service.leads_bucket,
        chunk_rows=chunk_rows,
    )

    job = service.job(caller, job_id)

    keyed = [None if row.source == "nowhere" else (row, PHONES[row.phone]) for row in file]
    leads, counts = import_rows(stored, keyed, strategy, user=USER, now=NOW)
    assert job["status"] == "COMPLETED", job
    assert ImportCounts(job["successCount"], job["errorCount"], job["skippedCount"]) == counts
    assert _read(service, caller) == leads


def _csv(file: list[LeadRow]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([FIELDS, *file])
    return text.getvalue()


def _store(service: Service, caller: Caller, leads: list[StoredLead]) -> None:
    with service.owner() as connection:
        for lead in leads:
            values = {
                name: value for name, value in vars(lead).items() if name not in ("phone_key", "updated")
            }
            names = ", ".join(["org_id", "updated_at", *values])
            slots = ", ".join([":org_id", ":updated_at", *(f":{name}" for name in values)])
            connection.rows(
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
