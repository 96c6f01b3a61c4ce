"""Export leads that an import could have created, in any format, and import the same leads again."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from leads.domain.lead import FIELDS, LeadSource, LeadStatus
from leads.domain.lead_filter import DEFAULT_COLUMNS
from leads.formats.formula_guard import unguard
from tests.support.exports import ROUTE, exported
from tests.support.imports import counts
from tests.support.service import Caller, Service

Lead = dict[str, Any]

PHONES = [
    "+336000000{:02}",
    "06 00 00 00 {:02}",
    "=06000000{:02}",
    "@06.00.00.00.{:02}",
    "-06 00 00 00 {:02}",
    "'06000000{:02}",
    "+33 (0)6 00 00 00 {:02}",
    "''=0033 6 00 00 00 {:02}",
    '"06000000{:02}";\r\n,\n',
]
"""Writings of which each makes another phone of another number."""

characters = st.one_of(
    st.sampled_from("=+-@'\"\t\r\n,;| \u00a0\\.0a"),
    st.sampled_from("\x0b\x85\u2028\ufeff\U0001f600é"),
    # Without C0 controls: the import refuses a file with many of them as binary.
    st.characters(exclude_categories=["Cs"], min_codepoint=0x20),
)
# The import trims a cell, and then removes the guard.
cells = st.text(characters, max_size=10).map(lambda text: unguard(text.strip()))
optional = cells.map(lambda cell: cell or None)
leads = st.fixed_dictionaries(
    {
        "name": cells.filter(bool),
        "phone": st.sampled_from(PHONES),
        "email": optional,
        "source": st.sampled_from(sorted(LeadSource)),
        "lead_source": optional,
        "score": st.none() | st.integers(0, 100),
        "notes": optional,
        "status": st.sampled_from(sorted(set(LeadStatus) - {LeadStatus.WON, LeadStatus.LOST})),
    }
)
formats = st.sampled_from([{}, {"format": "excel"}, {"gzip": "true"}, {"format": "excel", "gzip": "true"}])
no_columns: st.SearchStrategy[dict[str, str]] = st.just({})
columns = no_columns | st.permutations(FIELDS).map(lambda names: {"columns": ",".join(names)})

LONGEST: Lead = {
    "name": "=" * 255,
    "phone": "=" + "0" * 47 + "{:02}",
    "email": "'" * 254 + "@",
    "source": "walk_in",
    "lead_source": "@" + "é" * 254,
    "score": 100,
    "notes": "-\U0001f600" + "\r\n" * 4998 + "é.",
    "status": "NEW",
}
"""Each cell as long as it may be: the guard's `'` comes on top."""


def numbered(made: list[Lead]) -> list[Lead]:
    """Give each lead a phone of its own."""
    return [lead | {"phone": lead["phone"].format(n).strip()} for n, lead in enumerate(made, start=1)]


def store_as_imported(service: Service, caller: Caller, made: list[Lead]) -> None:
    insert = (
        f"INSERT INTO dossier (org_id, {', '.join(LONGEST)}, created_at, updated_at, updated_by) "  # noqa: S608 - our names
        f"VALUES (:org, :{', :'.join(LONGEST)}, '2020-01-01Z', '2020-01-02Z', 'somebody')"
    )
    with service.owner() as connection:
        for lead in made:
            connection.query(insert, org=caller.org, **lead)


@given(made=st.lists(leads, min_size=1, max_size=6), format=formats, columns=columns)
@example(made=[LONGEST], format={}, columns={})
@example(made=[LONGEST], format={"format": "excel", "gzip": "true"}, columns={"columns": ",".join(FIELDS)})
@settings(max_examples=12, deadline=None)
def test_import_of_an_export_changes_nothing(
    service: Service, made: list[Lead], format: dict[str, str], columns: dict[str, str]
) -> None:
    """SKIP adds nothing, OVERWRITE changes nothing, and another organisation gets the same leads."""
    caller, other = Caller(), Caller()
    made = numbered(made)
    store_as_imported(service, caller, made)
    before = service.leads(caller)
    assert len({lead["phone_key"] for lead in before}) == len(made), "two leads have one phone"
    content = exported(service.request("GET", ROUTE, caller, query=format | columns).json)

    skipped = service.import_csv(caller, content, "SKIP")
    assert (skipped["status"], counts(skipped)) == ("COMPLETED", (len(made), 0, 0, len(made))), skipped
    assert service.leads(caller) == before, "SKIP changed something"

    overwritten = service.import_csv(caller, content, "OVERWRITE")
    assert counts(overwritten) == (len(made), len(made), 0, 0), overwritten
    assert service.leads(caller) == before, "OVERWRITE changed something"

    elsewhere = service.import_csv(other, content, "SKIP")
    assert counts(elsewhere) == (len(made), len(made), 0, 0), elsewhere
    written = FIELDS if columns else [field for field in FIELDS if field in DEFAULT_COLUMNS]
    for lead, wanted in zip(service.leads(other), before, strict=True):
        assert {field: lead[field] for field in written} == {field: wanted[field] for field in written}
        assert lead["phone_key"] == wanted["phone_key"]
