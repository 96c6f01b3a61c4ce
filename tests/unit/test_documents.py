"""The documents' form: links lead somewhere, paragraphs and cells are short, lists are complete."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

DOCUMENTS = sorted(
    path
    for folder in (".", "docs", "docs/decisions", "bench", "tests")
    for path in (ROOT / folder).glob("*.md")
)
PROSE = [path for path in DOCUMENTS if path.parent.name != "bench"]
"""Documents whose paragraphs and cells are bounded. The figures of bench need room."""

MAX_README_LINES = 130
MAX_PARAGRAPH_WORDS = 60
MAX_CELL_CHARACTERS = 120

_FENCED = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_ITEM = re.compile(r" *(?:[-*]|[0-9]+\.) ")


def text_of(path: Path) -> str:
    """Return a document without its fenced code."""
    return _FENCED.sub("", path.read_text())


def anchors_of(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE):
        words = _LINK.sub(r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return anchors


def paragraphs_of(path: Path) -> Iterator[str]:
    """Give each paragraph and each item of a list; tables, headings and code are none."""
    for _, group in groupby(text_of(path).splitlines(), key=lambda line: not line.strip()):
        lines = list(group)
        block: list[str] = []
        for line in [] if lines[0].startswith("    ") else lines:
            if line.startswith(("|", "#")):
                continue
            if _ITEM.match(line) and block:
                yield " ".join(block)
                block = []
            block.append(line.strip())
        if block:
            yield " ".join(block)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(path: Path) -> None:
    """Links of the web are not followed."""
    missing = []
    for _, target in _LINK.findall(text_of(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_paragraphs_and_cells_are_short(path: Path) -> None:
    """A link counts by its words, not by its target."""
    text = _LINK.sub(r"\1", text_of(path))
    long = [
        words
        for paragraph in paragraphs_of(path)
        if len((words := _LINK.sub(r"\1", paragraph)).split()) > MAX_PARAGRAPH_WORDS
    ]
    cells = [cell.strip() for row in re.findall(r"^\|.*\|$", text, re.MULTILINE) for cell in row.split("|")]
    long += [cell for cell in cells if len(cell) > MAX_CELL_CHARACTERS]
    assert long == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MAX_README_LINES


def test_deploy_names_every_parameter_of_the_template() -> None:
    template = (ROOT / "template.yaml").read_text().partition("\nParameters:\n")[2].partition("\nRules:\n")[0]
    parameters = re.findall(r"^  (\w+):$", template, re.MULTILINE)
    table = (ROOT / "docs/deploy.md").read_text().partition("\n| parameter |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(parameters)


def test_table_of_faults_names_the_marks_of_the_tests() -> None:
    """A fault without a test would be a promise, and one without a row unknown to its reader."""
    table = (ROOT / "docs/faults.md").read_text().partition("| --- | --- |\n")[2]
    faults = [row.split(" | ")[0].removeprefix("| ") for row in table.splitlines()]
    modules = (ROOT / "tests").rglob("*.py")
    marks = {
        fault for path in modules for fault in re.findall(r'mark\.fault\(\s*"([^"]+)"', path.read_text())
    }
    assert len(faults) == len(set(faults)) > 20
    assert set(faults) == marks
