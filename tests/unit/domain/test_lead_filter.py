"""The columns are those of the API, and a recorded filter is restored."""

import json
from datetime import datetime

from hypothesis import example, given
from hypothesis import strategies as st

from leads.domain.lead import LeadSource, LeadStatus
from leads.domain.lead_filter import DEFAULT_COLUMNS, EXPORT_COLUMNS, LeadFilter


def test_columns_are_those_of_the_api() -> None:
    assert ", ".join(EXPORT_COLUMNS) == (
        "id, name, phone, email, source, lead_source, status, score, notes, created_at, updated_at, "
        "created_by, updated_by, annonce_id, case_type, status_code, loss_reason, won_reason"
    )
    assert ", ".join(DEFAULT_COLUMNS) == (
        "id, name, phone, email, source, lead_source, status, score, notes, created_at, updated_at"
    )


def test_filter_is_recorded_in_the_words_of_the_api() -> None:
    leads = LeadFilter(
        LeadStatus.WON,
        LeadSource.WALK_IN,
        start=datetime(2024, 1, 15, 10, 30),
        end=datetime(2024, 1, 31, 23, 59, 59),
    )
    assert leads.as_recorded() == {
        "status": "WON",
        "source": "WALK_IN",
        "startDate": "2024-01-15T10:30:00",
        "endDate": "2024-01-31T23:59:59",
    }


def test_missing_conditions_are_not_recorded() -> None:
    assert LeadFilter(status=LeadStatus.NEW).as_recorded() == {"status": "NEW"}
    assert LeadFilter().as_recorded() == {}


seconds = st.datetimes().map(lambda moment: moment.replace(microsecond=0))
filters = st.builds(
    LeadFilter,
    status=st.none() | st.sampled_from(LeadStatus),
    source=st.none() | st.sampled_from(LeadSource),
    start=st.none() | seconds,
    end=st.none() | seconds,
)


@given(filters)
@example(LeadFilter())
@example(LeadFilter(start=datetime(1, 1, 1), end=datetime(9999, 12, 31, 23, 59, 59)))
def test_filter_is_restored_from_its_record(leads: LeadFilter) -> None:
    # As JSON, like in the database.
    recorded = json.loads(json.dumps(leads.as_recorded()))
    assert LeadFilter.from_recorded(recorded) == leads
