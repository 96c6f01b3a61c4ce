"""An organisation id is harmless in keys, log lines and settings of the database."""

import pytest

from leads.domain.principal import is_org_id


@pytest.mark.parametrize("text", ["a", "7", "acme", "Acme-Paris_12", "a" * 64])
def test_well_formed_organisation_id_is_accepted(text: str) -> None:
    assert is_org_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-acme",
        "_acme",
        "a" * 65,
        "ac me",
        "acme\n",
        "../other",
        "acme/..",
        "a.b",
        "acmé",
        "\u0663",
        "a\x00",
    ],
)
def test_other_organisation_id_is_refused(text: str) -> None:
    assert not is_org_id(text)
