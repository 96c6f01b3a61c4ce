"""The documents' commands do what they say, in their order, on a stack of their own."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from local.stack import Stack
from tests.support.service import ROOT

EXECUTED = ("README.md", "docs/api.md")
"""In this order: the second one speaks of the job of the first."""

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


class Block(NamedTuple):
    """A fenced block of a document."""

    language: str
    text: str


def blocks_of(document: Path, *languages: str) -> list[Block]:
    """Return the document's blocks in these languages, or all."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE)
    return [Block(*block) for block in found if not languages or block[0] in languages]


def commands_of(name: str) -> list[str]:
    return [block.text for block in blocks_of(ROOT / name, "sh")]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """Run the documents and give what each of their `sh` blocks prints."""
    with Stack(tmp_path_factory.mktemp("stack"), throw_away=True) as stack:
        yield {name: run(name, stack, tmp_path_factory.mktemp("clone")) for name in EXECUTED}


def run(name: str, stack: Stack, directory: Path) -> list[str]:
    (directory / "tests").symlink_to(ROOT / "tests")
    script = "set -euo pipefail\n" + "\necho ---\n".join(commands_of(name))
    script = script.replace("http://127.0.0.1:3000", stack.api).replace("/tmp/", f"{directory}/")  # noqa: S108
    script = script.replace("make -s token", f"make -s --no-print-directory -C {ROOT} token")
    done = subprocess.run(
        ["/bin/bash", "-c", f"{script}\necho ---\nls"],
        cwd=directory,
        env=os.environ | {"LEADS_STATE_DIR": str(stack.directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.split("---\n")


def masked(text: str) -> str:
    """Replace what differs at each run: times, ids of requests."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "TIME", text)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)


def is_shown(shown: object, real: object) -> bool:
    """Tell whether a document shows what was answered; `…` in a text stands for any characters."""
    if isinstance(shown, str) and isinstance(real, str):
        return re.fullmatch(".*".join(map(re.escape, masked(shown).split("…"))), masked(real)) is not None
    if isinstance(shown, dict) and isinstance(real, dict):
        return shown.keys() == real.keys() and all(is_shown(shown[key], real[key]) for key in shown)
    if isinstance(shown, list) and isinstance(real, list):
        return len(shown) == len(real) and all(map(is_shown, shown, real))
    return shown == real


@pytest.mark.parametrize("name", EXECUTED)
def test_answers_shown_are_those_given(name: str, outputs: dict[str, list[str]]) -> None:
    """A block of JSON or CSV shows what the commands before it print."""
    printed = iter(outputs[name])
    answer = ""
    shown = 0
    for block in blocks_of(ROOT / name, "sh", "json", "csv"):
        if block.language == "sh":
            answer = next(printed)
        elif block.language == "json":
            assert is_shown(json.loads(block.text), json.loads(answer)), answer
            shown += 1
        else:
            assert is_shown(block.text, answer), answer
            shown += 1
    assert shown >= 2


def test_api_examples_work(outputs: dict[str, list[str]]) -> None:
    _, _, form, bare, upload, imports, _, export, later, exports, drop, files = outputs["docs/api.md"]
    assert '"status":"COMPLETED","totalRows":5000' in form
    assert re.search('"status":"(PENDING|PROCESSING)"', bare), bare
    assert upload in ("S3 answered 204\n", "S3 answered 200\n")
    assert '"filename":"french_authorities.csv"' in imports
    assert '"status":"COMPLETED"' in export
    assert re.search(r"^leads_export_\d{8}_\d{6}\.csv$", files, re.MULTILINE), files
    assert re.search('"status":"PENDING","url":null,"filename":"leads_export_[0-9_]+.csv.gz"', later), later
    assert '"status":"COMPLETED"' in later
    assert '"format":"excel","gzip":true' in exports
    assert drop == "S3 answered 200\n"


def test_every_command_is_executed_or_needs_more_than_the_laptop() -> None:
    """`bash` marks what starts a stack itself, or needs an AWS account or another database."""
    with_commands = {str(path.relative_to(ROOT)) for path in DOCUMENTS if blocks_of(path, "sh")}
    assert with_commands == set(EXECUTED)
    for path in DOCUMENTS:
        for block in blocks_of(path, "bash"):
            assert "$API" not in block.text, f"{path.name}: {block.text}"
            assert re.search(r"^make |\baws |\bsam deploy|\bpsql ", block.text, re.MULTILINE), block.text
            subprocess.run(["/bin/bash", "-n", "-c", block.text], check=True)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(path: Path) -> None:
    """Only in code: prose makes many other things."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = [block.text for block in blocks_of(path)] + re.findall(r"`([^`\n]+)`", path.read_text())
    named = {
        name
        for text in code
        for command in re.findall(r"(?<!install )\bmake((?: -s| [a-z][a-z-]*)+)", text)
        for name in command.replace(" -s", "").split()
    }
    assert named <= targets, named - targets


def test_every_route_of_the_template_has_an_example() -> None:
    template = (ROOT / "template.yaml").read_text()
    routes = re.findall(r"^\s+Path: (/\S+)$", template, re.MULTILINE)
    assert len(routes) == 7
    commands = "\n".join(command for name in EXECUTED for command in commands_of(name))
    readme = (ROOT / "README.md").read_text()
    for route in routes:
        path = re.escape(route.replace("{id}", "1"))
        assert re.search(rf"\$API{path}[\s\"?]", commands), f"no example of {route}"
        assert re.search(rf"^\| `[A-Z]+ {re.escape(route)}` \|", readme, re.MULTILINE), (
            f"{route} is not listed"
        )
