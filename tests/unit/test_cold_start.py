"""A function collects garbage after it has started, and not while it starts."""

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
def test_function_imports_cold_start_first_and_ends_with_it(path: Path) -> None:
    docstring, first, *_, last = ast.parse(path.read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert ast.unparse(first) == "from leads.cold_start import started"
    assert ast.unparse(last) == "started()"


def test_started_enables_collection_and_freezes_objects() -> None:
    """Objects that were loaded before are excluded from collection, later ones are not."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True"]
