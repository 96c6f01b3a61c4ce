"""Read the Idempotency-Key header: its two notations, and the keys that are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.errors import InvalidRequest
from leads.web.parameters import MAX_KEY_LENGTH, read_idempotency_key
from tests.support.deployed import deployed, of_type

PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03978e-40d5-43e8-bc93-6894a57f9324"', "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        (' "a" ', "a"),
        ('"a, b; c"', "a, b; c"),
        (r'"say \"a\" or \\"', r'say "a" or \ '.rstrip()),
        ("Zm9v+YmFy/MQ==", "Zm9v+YmFy/MQ=="),
        ("x" * MAX_KEY_LENGTH, "x" * MAX_KEY_LENGTH),
        (f'"{"x" * MAX_KEY_LENGTH}"', "x" * MAX_KEY_LENGTH),
    ],
)
def test_key_in_quotes_or_bare_is_read(header: str, key: str) -> None:
    assert read_idempotency_key({"Idempotency-Key": header}) == key


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        '""',
        '"a',
        'a"',
        '"a" "b"',
        "a b",
        "a,b",
        '"a","a"',
        '"a";b=1',
        r'"a\b"',
        "a\\b",
        "clé",
        '"clé"',
        '"a\tb"',
        '"a\nb"',
        '"a\x00"',
        '"a\x7f"',
        "x" * (MAX_KEY_LENGTH + 1),
        f'"{"x" * (MAX_KEY_LENGTH + 1)}"',
    ],
)
def test_malformed_key_is_refused_with_advice(header: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_idempotency_key({"idempotency-key": header})
    (error,) = refused.value.errors
    assert error.field == "Idempotency-Key"
    assert "1 to 255 ASCII characters in double quotes" in error.message


def test_missing_key_header_is_none() -> None:
    assert read_idempotency_key({"prefer": "wait=1"}) is None


@given(st.text(PRINTABLE, min_size=1, max_size=MAX_KEY_LENGTH))
def test_quoted_key_of_any_printable_text_is_read(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    assert read_idempotency_key({"idempotency-key": f'"{escaped}"'}) == key


def test_cors_allows_the_key_header() -> None:
    (api,) = of_type(deployed(), "AWS::Serverless::HttpApi").values()
    assert "idempotency-key" in api["CorsConfiguration"]["AllowHeaders"]
