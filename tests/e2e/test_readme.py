"""The README's commands do what it says, in its order, on a stack of their own."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import Stack
from tests.support.service import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def fresh_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Nobody else's jobs: the README speaks of job 1."""
    with Stack(tmp_path_factory.mktemp("readme"), throw_away=True) as running:
        yield running


def test_curl_examples_work(fresh_stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    script = "set -euo pipefail\n" + "\necho ---\n".join(BLOCKS)
    script = script.replace("http://127.0.0.1:3000", fresh_stack.api)
    script = script.replace("make -s token", f"make -s --no-print-directory -C {ROOT} token")
    done = subprocess.run(  # noqa: S603
        ["/bin/bash", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"LEADS_STATE_DIR": str(fresh_stack.directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    outputs = done.stdout.split("---\n")
    assert len(outputs) == len(BLOCKS) == 8
    _, form, bare, upload, history, export, later, drop = outputs
    assert '"status":"COMPLETED","totalRows":5000' in form
    assert re.search('"status":"(PENDING|PROCESSING)"', bare), bare
    assert upload in ("S3 answered 204\n", "S3 answered 200\n")
    assert drop == "S3 answered 200\n"
    assert '"filename":"french_authorities.csv"' in history
    assert '"errorReport":"Row 18: Phone is required' in history
    assert '"status":"COMPLETED"' in export
    assert re.search('"status":"PENDING","url":null,"filename":"leads_export_[0-9_]+.csv.gz"', later), later
    assert '"format":"excel","gzip":true' in later
    (saved,) = tmp_path.glob("leads_export_*.csv")
    assert saved.read_text().startswith("id,name,phone,email,source")


def test_readme_names_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake (?:-s )?([a-z]+)\b", README))
    assert named <= targets | {"python"}, named - targets


def test_every_route_of_the_template_has_an_example() -> None:
    template = (ROOT / "template.yaml").read_text()
    routes = re.findall(r"^\s+Path: (/\S+)$", template, re.MULTILINE)
    assert len(routes) == 7
    for route in routes:
        path = re.escape(route.replace("{id}", "1"))
        assert re.search(rf"\$API{path}[\s\"?]", "\n".join(BLOCKS)), f"no example of {route}"
