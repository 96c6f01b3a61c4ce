"""Rows whose phone was or may have been there before; integration/test_phone_key.py holds it to the keys."""

from itertools import permutations

import pytest

from leads.domain.duplicate_hints import DuplicateHints
from leads.import_engine.phone_filter import PhoneFilter, StoredPhones


def suspicion(*phones: str, stored: str = "") -> DuplicateHints:
    return PhoneFilter(StoredPhones(stored, recent=10)).classify(range(len(phones)), phones)


def suspects(*phones: str, stored: str = "") -> list[int]:
    found = suspicion(*phones, stored=stored)
    assert not found.certain_duplicates
    return found.possible_duplicates


def test_a_phone_that_nobody_had_is_no_suspect() -> None:
    assert suspects("+33612345678", "06 12 34 56 79", "0612345670", "01.23.45.67.89", "0712345678") == []


@pytest.mark.parametrize("mobile", ["06", "07"])
def test_a_french_mobile_number_is_a_repeat_for_sure(mobile: str) -> None:
    again = [f"+33{mobile[1]}12345678", f"{mobile} 12 34 56 78", f"{mobile}12345678", f"{mobile}.12-34 5678"]
    for one, other in permutations(again, 2):
        assert suspicion(one, "0698765432", other) == ([2], [], []), (one, other)


def test_an_overseas_mobile_number_is_a_repeat_when_it_is_written_without_its_country() -> None:
    assert suspicion("0690123456", "06 90 12 34 56") == ([1], [], [])
    assert suspicion("0695123456", "+33695123456") == ([1], [], []), "0695 is not overseas"


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
def test_another_phone_with_the_ending_of_an_earlier_one_is_a_suspect(phone: str, again: str) -> None:
    assert suspicion(phone, "0611111111", again) == ([], [2], [0])


def test_a_phone_of_an_earlier_chunk_counts() -> None:
    seen = PhoneFilter(StoredPhones("", recent=10))
    assert seen.classify([2, 4], ["0612345678", "0123456789"]) == ([], [], [])
    again = ["0612345678", "0698765432", "0123456789"]
    assert seen.classify([5, 6, 8], again) == ([5], [8], [4])


def test_a_phone_of_a_stored_lead_is_a_suspect() -> None:
    assert suspects("0612345678", "0698765432", "0611111111", stored="1234567811111111") == [0, 2]


@pytest.mark.parametrize(
    "odd",
    ["06 12 34 56 78 ou 01 23 45 67 89", "+33 (0)6 12 34 56 78", "12345678", "+1234567", "12", "٠٦١٢٣٤٥٦٧٨"],
)
def test_what_may_be_any_number_is_always_a_suspect(odd: str) -> None:
    assert suspects(odd) == [0]


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
def test_a_phone_that_an_odd_cell_may_have_meant_is_a_suspect(odd: str) -> None:
    assert suspects(odd, "+33612345678", "0698765432") == [0, 1]


def test_an_odd_cell_has_an_original_for_each_number_it_may_mean() -> None:
    phones = ["0612345678", "0123456789", "0698765432", "06 12 34 56 78 ou 01 23 45 67 89"]
    assert suspicion(*phones) == ([], [3], [0, 1])


def test_a_suspect_is_no_original() -> None:
    assert suspicion("0123456789", "+4423456789", "+33123456789") == ([], [1, 2], [0])


def test_as_many_rows_as_are_recent_may_be_originals_whatever_the_chunks() -> None:
    phones = [f"01{n:08}" for n in range(100)]
    for recent in (1, 7, 30):
        for chunk in (1, 3, 10, 50):
            seen = PhoneFilter(StoredPhones("", recent=recent))
            for at in range(0, 100, chunk):
                seen.classify(range(100)[at : at + chunk], phones[at : at + chunk])
            assert seen.classify([100], [phones[100 - recent]]) == ([], [100], [100 - recent])


def test_rows_long_past_are_forgotten() -> None:
    seen = PhoneFilter(StoredPhones("", recent=10))
    for n in range(100):
        seen.classify([n], [f"06{n:08}"])
    assert seen.classify([100], ["+33 6 00000000"]) == ([], [100], [])
    assert seen.classify([101], ["0600000000"]) == ([101], [], [])
