"""Garbage is collected in a function that has started, and not while it starts."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from local.state import PROJECT

FUNCTIONS = sorted((PROJECT / "functions").glob("*/app.py"))

PROGRAM = """
import gc
from leads.cold_start import started
before = gc.isenabled()
started()
print(before, gc.isenabled(), gc.get_freeze_count() > 1000)
"""


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.parent.name)
def test_a_function_begins_and_ends_with_it(path: Path) -> None:
    docstring, first, *_, last = ast.parse(path.read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert ast.unparse(first) == "from leads.cold_start import started"
    assert ast.unparse(last) == "started()"


def test_what_is_loaded_is_looked_through_no_more_and_what_comes_then_is() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]
