"""The phone key by examples: one SQL function, which the table applies for every writer."""

from itertools import permutations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leads.import_engine.phone_filter import PhoneFilter, StoredPhones
from tests.support.service import Service

EXAMPLES = {
    # One phone in the ways that people write it.
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
    # Any other text is reduced to its digits.
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
def test_phone_key_of_example(service: Service, written: str, key: str) -> None:
    with service.owner() as connection:
        assert connection.query_value("SELECT phone_key(:written)", written=written) == key


@pytest.mark.parametrize("written", ["", "n/a", "+", "-"])
def test_phone_key_without_digits_is_null(service: Service, written: str) -> None:
    with service.owner() as connection:
        assert connection.query_value("SELECT phone_key(:written)", written=written) is None


def test_phone_key_is_generated_by_the_table(service: Service) -> None:
    with service.owner() as connection:
        key = connection.query_value(
            "INSERT INTO dossier (org_id, name, phone) VALUES ('x', 'A', '0612345678') RETURNING phone_key"
        )
    assert key == "+33612345678"


def test_phone_key_works_with_an_empty_search_path(service: Service) -> None:
    """A restore by pg_restore sets the search path so."""
    with service.owner() as connection:
        connection.execute("SET search_path = ''")
        key = connection.query_value(
            "INSERT INTO public.dossier (org_id, name, phone) VALUES ('x', 'A', '06 12 34 56 78 ou 1') "
            "RETURNING phone_key"
        )
    assert key == "+33612345678"


@given(st.text(alphabet="+0123456789", max_size=20), st.text(alphabet="0123456789 .-/()+a", max_size=30))
@settings(max_examples=200, deadline=None)
def test_phone_key_fast_path_equals_slow_path(service: Service, canonical: str, any_text: str) -> None:
    with service.owner() as connection:
        for text in (canonical, any_text):
            ((key, slow),) = connection.query(
                "SELECT phone_key(:text), nullif(phone_key_of_text(:text), '')", text=text
            )
            assert key == slow, f"the fast path differs for {text!r}"


@st.composite
def nearly_french(draw: st.DrawFn) -> str:
    """Draw a national number, in one piece or in pairs, and replace up to two characters."""
    digits = draw(st.sampled_from(["02", "05", "06", "01"])) + draw(
        st.text("0123456789", min_size=8, max_size=8)
    )
    mark = draw(st.sampled_from(["", " ", ".", "-"]))
    written = list(mark.join(digits[at : at + 2] for at in range(0, 10, 2)))
    for at in draw(st.lists(st.integers(0, len(written) - 1), max_size=2)):
        written[at] = draw(st.sampled_from([*" .-+/0699\u0663\n", ""]))
    return "".join(written)


@pytest.mark.parametrize("pair", ["0262", "0590", "0594", "0690", "0696", "0693", "0695"])
@pytest.mark.parametrize("mark", ["", " ", ".", "-"])
def test_phone_key_short_path_knows_overseas_numbers(service: Service, pair: str, mark: str) -> None:
    written = mark.join([pair[:2], pair[2:], "12", "34", "56"])
    with service.owner() as connection:
        ((key, slow),) = connection.query("SELECT phone_key(:text), phone_key_of_text(:text)", text=written)
    assert key == slow


@given(nearly_french())
@example("06  2 34 56 78")
@example("06 9 234 56 78")
@example("0690123456")
@example("06.90.12.34.56")
@settings(max_examples=100, deadline=None)
def test_phone_key_short_path_equals_long_path(service: Service, text: str) -> None:
    with service.owner() as connection:
        ((key, slow),) = connection.query(
            "SELECT phone_key(:text), nullif(phone_key_of_text(:text), '')", text=text
        )
    assert key == slow, f"the short path differs for {text!r}"


@st.composite
def cells(draw: st.DrawFn) -> list[str]:
    """Draw cells with phones, many of them one number, written in different ways and among other text."""
    area, rest = draw(st.sampled_from("1267")), draw(st.sampled_from(["12345678", "00000000", "90000001"]))
    pairs = [rest[at : at + 2] for at in range(0, 8, 2)]
    mark = draw(st.sampled_from(["", " ", ".", "-", "\u00a0", "/"]))
    national = mark.join([f"0{area}", *pairs])
    zero = draw(st.sampled_from(["", "(0)", " (0) ", "( 0 )", "(x0)"]))
    wholes = [
        national,
        f"+33{area}{rest}",
        f"0033{area}{rest}",
        f"+33{zero}{mark.join([area, *pairs])}",
        f"+33 {area}{mark.join(pairs[:2])}{zero}{mark.join(pairs[2:])}",
        f"33{area}{rest}",
        rest,
        rest[:6],
    ]
    around = st.sampled_from(["", "tel ", "12", "(0)", " ou 01 02 03 04 05", "/0102030405", ";123456", " "])
    return [draw(around) + whole + draw(around) for whole in draw(st.permutations(wholes))]


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Draw numbers that differ in their start, in a last digit, or in the way they are written."""
    likely = ["06", "07", "069", "0690", "0695", "+336", "+337", "+3369", "+33690", "+33695", "+596", "+262"]
    odd = ["01", "09", "0", "+", "+0", "+06", "+6", "+7", "+33", "+330", "+3306", "+331", "99336", "+99336"]
    before = st.sampled_from(likely + odd)
    after = st.sampled_from(["", "1", "12"])
    written = []
    for _ in range(draw(st.integers(2, 12))):
        start = draw(before)
        number = f"{start}{'12345678'[max(0, len(start.replace('+33', '0', 1)) - 2) :]}{draw(after)}"
        mark = draw(st.sampled_from(["", "", " ", ".", "-"]))
        written.append(mark.join(number[at : at + 2] for at in range(0, len(number), 2)))
    return written


@given(cells() | alike())
@example(["0612345678", "+33612345678", "06 12 34 56 78"])
@example(["0687123456", "+687123456", "+33687123456"])
@example(["0690123456", "+33690123456", "0690123456"])
@example(["0695123456", "+33695123456", "06 95 12 34 56"])
@settings(max_examples=200, deadline=None)
def test_phone_filter_misses_no_duplicate(service: Service, written: list[str]) -> None:
    """PhoneFilter agrees with the keys of Postgres, for earlier rows and for stored leads.

    Every duplicate is a possible one. The first row of its phone is among the rows that are compared.
    """
    with service.owner() as connection:
        keys = [connection.query_value("SELECT phone_key(:cell)", cell=cell) for cell in written]
    hints = PhoneFilter(StoredPhones("", recent=len(written))).classify(range(len(written)), written)
    possible = set(hints.possible_duplicates)
    duplicates = {at for at, key in enumerate(keys) if key is not None and key in keys[:at]}
    missed = duplicates - possible
    assert not missed, [written[at] for at in missed]
    first_rows = {keys.index(keys[at]) for at in duplicates}
    uncompared = first_rows - possible - set(hints.earlier_rows)
    assert not uncompared, [written[at] for at in uncompared]
    for cell, key in zip(written, keys, strict=True):
        if isinstance(key, str):
            stored = PhoneFilter(StoredPhones(key[-8:] if len(key) > 8 else "", recent=1))
            assert stored.classify([1], [cell]).possible_duplicates == [1], f"{cell!r} is the stored {key}"


def test_phone_filter_finds_every_pair_of_examples(service: Service) -> None:
    """Two examples with one key are possible duplicates."""
    by_key: dict[str | None, list[str]] = {}
    for written, key in EXAMPLES.items():
        by_key.setdefault(key, []).append(written)
    for several in by_key.values():
        for one, other in permutations(several, 2):
            found = PhoneFilter(StoredPhones("", recent=2)).classify([1, 2], [one, other])
            assert 2 in found.possible_duplicates, (one, other)
