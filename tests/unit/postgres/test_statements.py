"""The named statements of sql/*.sql can be loaded, and each is used."""

import re
from pathlib import Path

import pytest

from leads.postgres.statements import statement

POSTGRES = Path(__file__).resolve().parents[3] / "layers/shared/leads/postgres"
NAMES = [
    name
    for file in sorted((POSTGRES / "sql").glob("*.sql"))
    for name in re.findall(r"^-- name: (\w+)$", file.read_text(), re.MULTILINE)
]


def test_statements_are_found_in_every_file() -> None:
    assert len(NAMES) == len(set(NAMES)) > 30


@pytest.mark.parametrize("name", NAMES)
def test_statement_has_text_without_its_head(name: str) -> None:
    text = statement(name)
    assert text
    assert "-- name:" not in text


@pytest.mark.parametrize("name", NAMES)
def test_statement_is_used_by_the_code(name: str) -> None:
    code = "".join(path.read_text() for path in POSTGRES.glob("*.py"))
    by_table = (
        re.sub(r"^(import|export)_job", "{table}", name),
        re.sub(r"^(import|export)_job", "{job.table}", name),
    )
    assert any(f'"{one}"' in code or f"'{one}'" in code for one in (name, *by_table))


def test_statement_unknown_raises() -> None:
    with pytest.raises(KeyError):
        statement("import_job_imagined")
