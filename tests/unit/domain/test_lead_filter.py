"""The columns of an export, and the filter as the record of the export keeps it."""

import json
from datetime import datetime

from hypothesis import example, given
from hypothesis import strategies as st

from leads.domain.lead import LeadSource, LeadStatus
from leads.domain.lead_filter import DEFAULT_COLUMNS, EXPORT_COLUMNS, LeadFilter


def test_the_columns_are_those_of_the_api_and_the_first_eleven_the_default() -> None:
    assert ", ".join(EXPORT_COLUMNS) == (
        "id, name, phone, email, source, lead_source, status, score, notes, created_at, updated_at, "
        "created_by, updated_by, annonce_id, case_type, status_code, loss_reason, won_reason"
    )
    assert ", ".join(DEFAULT_COLUMNS) == (
        "id, name, phone, email, source, lead_source, status, score, notes, created_at, updated_at"
    )


def test_a_filter_is_recorded_under_the_names_and_values_of_the_api() -> None:
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


def test_conditions_that_were_not_given_are_not_recorded() -> None:
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
def test_a_filter_comes_back_from_its_record_as_it_was(leads: LeadFilter) -> None:
    # As the database keeps it.
    recorded = json.loads(json.dumps(leads.as_recorded()))
    assert LeadFilter.from_recorded(recorded) == leads
