"""The phone key by examples: the one SQL function that every writer of dossier gets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.service import Service

EXAMPLES = {
    # One phone, written as people write it.
    "06 12 34 56 78": "+33612345678",
    "0612345678": "+33612345678",
    "06.12.34.56.78": "+33612345678",
    "06-12-34-56-78": "+33612345678",
    "06/12/34/56/78": "+33612345678",
    "06\u00a012\u00a034\u00a056\u00a078": "+33612345678",
    "+33612345678": "+33612345678",
    "+33 6 12 34 56 78": "+33612345678",
    "+33 (0)6 12 34 56 78": "+33612345678",
    "+33(0)612345678": "+33612345678",
    "+33 ( 0 ) 6 12 34 56 78": "+33612345678",
    "(+33) 6 12 34 56 78": "+33612345678",
    "0033 6.12.34.56.78": "+33612345678",
    "0033 (0)6 12 34 56 78": "+33612345678",
    "(06) 12 34 56 78": "+33612345678",
    "Tél : 06 12 34 56 78": "+33612345678",
    "06 12 34 56 78 (bureau)": "+33612345678",
    # Overseas: the national prefix decides.
    "0590 85 19 50": "+590590851950",
    "0690 12 34 56": "+590690123456",
    "0691 12 34 56": "+590691123456",
    "0594 12 34 56": "+594594123456",
    "0694 12 34 56": "+594694123456",
    "0596 12 34 56": "+596596123456",
    "0696 12 34 56": "+596696123456",
    "0697 12 34 56": "+596697123456",
    "0262 12 34 56": "+262262123456",
    "0263 12 34 56": "+262263123456",
    "0692 12 34 56": "+262692123456",
    "0693 12 34 56": "+262693123456",
    "0595 12 34 56": "+33595123456",
    "+590 690 12 34 56": "+590690123456",
    # Abroad.
    "+44 (0)20 7946 0958": "+442079460958",
    "0044 20 7946 0958": "+442079460958",
    "+1 (415) 555-0132": "+14155550132",
    # Of several numbers the first.
    "06 12 34 56 78 / 01 23 45 67 89": "+33612345678",
    "06 12 34 56 78 ou 01 23 45 67 89": "+33612345678",
    "06 12 34 56 78 01 23 45 67 89": "+33612345678",
    "06 12 34 56 78, 01 23 45 67 89": "+33612345678",
    "06 12 34 56 78\n01 23 45 67 89": "+33612345678",
    "06 12 34 56 78 - 01 23 45 67 89": "+33612345678",
    "0612345678;0123456789": "+33612345678",
    "0612345678-0123456789": "+33612345678",
    "+33 6 12 34 56 78 +33 1 23 45 67 89": "+33612345678",
    "01 23 45 67 89/90": "+33123456789",
    "+33 1 23 45 67 89/90": "+33123456789",
    "+33 1 23 45 67 89 poste 123": "+33123456789",
    "+33 6 12 34 56 78 ou 15": "+33612345678",
    "+33 6 12 34 56 78 (bureau)": "+33612345678",
    "+44 20 7946 0958 / 59": "+442079460958",
    "06 12 34 56 78 (01 23 45 67 89)": "+33612345678",
    "06 12 34 56 78\u00a001 23 45 67 89": "+33612345678",
    "06\u00a012\u00a034\u00a056\u00a078\u202f/\u202f01\u00a023\u00a045\u00a067\u00a089": "+33612345678",
    "+33/6/12/34/56/78": "+33612345678",
    "01 23 45 67 89 poste 123": "+33123456789",
    "poste 123 : 01 23 45 67 89": "+33123456789",
    # What fits none of this stays as its digits.
    "36 30": "3630",
    "15": "15",
    "12345": "12345",
    "612345678": "612345678",
    "33612345678": "33612345678",
    "06 12 34 56 789": "06123456789",
    "0000000000": "0000000000",
    "+590 85 19 50": "+590851950",
    "+12": "+12",
    "+3361234567890123": "+3361234567890123",
    "1-800-FLOWERS": "1800",
}


@pytest.mark.parametrize(("written", "key"), EXAMPLES.items())
def test_examples(service: Service, written: str, key: str) -> None:
    with service.owner() as connection:
        assert connection.value("SELECT phone_key(:written)", written=written) == key


@pytest.mark.parametrize("written", ["", "n/a", "+", "-"])
def test_no_digits_is_no_key(service: Service, written: str) -> None:
    with service.owner() as connection:
        assert connection.value("SELECT phone_key(:written)", written=written) is None


def test_key_is_generated_for_every_writer(service: Service) -> None:
    with service.owner() as connection:
        key = connection.value(
            "INSERT INTO dossier (org_id, name, phone) VALUES ('x', 'A', '0612345678') RETURNING phone_key"
        )
    assert key == "+33612345678"


def test_key_can_be_computed_with_an_empty_search_path_as_a_restore_does(service: Service) -> None:
    with service.owner() as connection:
        connection.script("SET search_path = ''")
        key = connection.value(
            "INSERT INTO public.dossier (org_id, name, phone) VALUES ('x', 'A', '06 12 34 56 78 ou 1') "
            "RETURNING phone_key"
        )
    assert key == "+33612345678"


@given(st.text(alphabet="+0123456789", max_size=20), st.text(alphabet="0123456789 .-/()+a", max_size=30))
@settings(max_examples=200, deadline=None)
def test_fast_path_agrees_with_the_slow_one(service: Service, canonical: str, any_text: str) -> None:
    with service.owner() as connection:
        for text in (canonical, any_text):
            ((key, slow),) = connection.rows(
                "SELECT phone_key(:text), nullif(phone_key_of_text(:text), '')", text=text
            )
            assert key == slow, f"the fast path differs for {text!r}"
