"""Check the classes of rows by their phones: new or possible duplicate.

tests/integration/database/test_phone_key.py compares the filter to the phone keys.
"""

from itertools import permutations

import pytest

from leads.domain.duplicate_hints import DuplicateHints
from leads.import_engine.phone_filter import PhoneFilter, StoredPhones


def hints_of(*phones: str, stored: str = "") -> DuplicateHints:
    return PhoneFilter(StoredPhones(stored, recent=10)).classify(range(len(phones)), phones)


def possible_duplicates_of(*phones: str, stored: str = "") -> list[int]:
    return hints_of(*phones, stored=stored).possible_duplicates


def test_new_phones_are_no_possible_duplicates() -> None:
    assert (
        possible_duplicates_of("+33612345678", "06 12 34 56 79", "0612345670", "01.23.45.67.89", "0798765432")
        == []
    )


@pytest.mark.parametrize("mobile", ["06", "07"])
def test_repeated_french_mobile_is_a_possible_duplicate(mobile: str) -> None:
    again = [f"+33{mobile[1]}12345678", f"{mobile} 12 34 56 78", f"{mobile}12345678", f"{mobile}.12-34 5678"]
    for one, other in permutations(again, 2):
        assert hints_of(one, "0698765432", other) == ([2], [0]), (one, other)


@pytest.mark.parametrize(
    ("phone", "again"),
    [
        ("0123456789", "+33123456789"),
        ("+590690123456", "0690123456"),
        ("+33690123456", "0690123456"),
        ("0612345678", "+4412345678"),
        ("0712345678", "+4412345678"),
        ("+681234567", "0681234567"),
    ],
)
def test_phone_with_suffix_of_earlier_row_is_possible_duplicate(phone: str, again: str) -> None:
    assert hints_of(phone, "0611111111", again) == ([2], [0])


def test_phone_of_an_earlier_chunk_is_a_duplicate() -> None:
    seen = PhoneFilter(StoredPhones("", recent=10))
    assert seen.classify([2, 4], ["0612345678", "0123456789"]) == ([], [])
    again = ["0612345678", "0698765432", "0123456789"]
    assert seen.classify([5, 6, 8], again) == ([5, 8], [2, 4])


def test_phone_of_a_stored_lead_is_a_possible_duplicate() -> None:
    assert possible_duplicates_of("0612345678", "0698765432", "0611111111", stored="1234567811111111") == [
        0,
        2,
    ]


@pytest.mark.parametrize(
    "odd",
    ["06 12 34 56 78 ou 01 23 45 67 89", "+33 (0)6 12 34 56 78", "12345678", "+1234567", "12", "٠٦١٢٣٤٥٦٧٨"],
)
def test_cell_of_unclear_number_is_always_a_possible_duplicate(odd: str) -> None:
    assert possible_duplicates_of(odd) == [0]


@pytest.mark.parametrize(
    "odd",
    [
        "06 12 34 56 78 ou 01 23 45 67 89",
        "01 23 45 67 89 / 06 12 34 56 78",
        "Tél. +33 (0)6 12 34 56 78",
        "+33 6 12 (0) 34 56 78",
        "0033612345678 (bureau)",
    ],
)
def test_phone_that_an_unclear_cell_may_mean_is_possible(odd: str) -> None:
    assert possible_duplicates_of(odd, "+33612345678", "0698765432") == [0, 1]


def test_unclear_cell_has_an_earlier_row_for_each_number() -> None:
    phones = ["0612345678", "0123456789", "0698765432", "06 12 34 56 78 ou 01 23 45 67 89"]
    assert hints_of(*phones) == ([3], [0, 1])


def test_possible_duplicate_is_no_earlier_row() -> None:
    assert hints_of("0123456789", "+4423456789", "+33123456789") == ([1, 2], [0])


def test_recent_rows_are_earlier_rows_in_chunks_of_any_size() -> None:
    phones = [f"01{n:08}" for n in range(100)]
    for recent in (1, 7, 30):
        for chunk in (1, 3, 10, 50):
            seen = PhoneFilter(StoredPhones("", recent=recent))
            for at in range(0, 100, chunk):
                seen.classify(range(100)[at : at + chunk], phones[at : at + chunk])
            assert seen.classify([100], [phones[100 - recent]]) == ([100], [100 - recent])


def test_rows_that_are_not_recent_are_no_earlier_rows() -> None:
    """They are merged, so their phones are found among the stored leads."""
    seen = PhoneFilter(StoredPhones("", recent=10))
    for n in range(100):
        seen.classify([n], [f"06{n:08}"])
    assert seen.classify([100], ["+33 6 00000000"]) == ([100], [])
