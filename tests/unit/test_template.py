"""Compare template.yaml with the code, in both directions: functions, handlers, routes, environments.

Every function is started in a process of its own. It gets exactly the variables of Lambda and the template.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from local.aws.lambda_environment import lambda_variables
from local.state import PROJECT
from local.template.deployment import Function, load_template
from tests.support.deployed import PARAMETERS, STACK

PROGRAM: Final = PROJECT / "tests" / "support" / "started_function.py"

AUTHS: Final = ("iam", "password")
"""The values of DatabaseAuth, on which the variables depend that a function reads."""

NOT_FOR_PYTHON: Final = {
    "MALLOC_ARENA_MAX": "glibc reads it before Python starts",
    "MALLOC_MMAP_THRESHOLD_": "glibc reads it before Python starts",
}

NOT_DEPLOYED: Final = {"AWS_ENDPOINT_URL_S3": "only the laptop's S3 has another address"}
"""Variables that only the laptop sets."""

READ_LATER: Final = {
    "leads.import_engine.reader_process": "passes the variables of the reader process on to it",
}
"""Modules that read the environment after the start of the function."""


def functions_with(auth: str) -> dict[str, Function]:
    """Return the template's functions by folder, with this kind of login."""
    template = load_template(
        PROJECT / "template.yaml", {**PARAMETERS, "DatabaseAuth": auth}, stack_name=STACK
    )
    return {function.code.name: function for function in template.functions}


FUNCTIONS: Final = {auth: functions_with(auth) for auth in AUTHS}
NAMES: Final = sorted(FUNCTIONS["iam"])


@pytest.fixture(scope="module")
def started() -> dict[str, dict[str, Any]]:
    """Start each function and return its findings."""
    with ThreadPoolExecutor(2) as processes:
        return dict(zip(NAMES, processes.map(start, NAMES), strict=True))


def start(name: str) -> dict[str, Any]:
    environments = [lambda_variables(FUNCTIONS[auth][name], "127.0.0.1:1") for auth in AUTHS]
    function = FUNCTIONS["iam"][name]
    answer = subprocess.run(
        [sys.executable, "-P", str(PROGRAM), function.handler],
        cwd=function.code,
        env=environments[0],
        input=json.dumps(environments),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, f"{name} does not start with the template's variables:\n{answer.stderr}"
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_folders_and_functions_match() -> None:
    folders = {path.parent.name for path in (PROJECT / "functions").glob("*/app.py")}
    assert set(NAMES) == folders
    for name, function in FUNCTIONS["iam"].items():
        assert function.code == PROJECT / "functions" / name
        camel = "".join(map(str.capitalize, name.split("_")))
        assert function.logical_id == f"{camel}Function"
        assert function.layers == (PROJECT / "layers" / "shared",)


@pytest.mark.parametrize("name", NAMES)
def test_handler_exists(started: dict[str, dict[str, Any]], name: str) -> None:
    assert started[name]["callable"], FUNCTIONS["iam"][name].handler


@pytest.mark.parametrize("name", NAMES)
def test_routes_match_the_code(started: dict[str, dict[str, Any]], name: str) -> None:
    gateway = sorted([route.method, route.path] for route in FUNCTIONS["iam"][name].routes)
    assert gateway == started[name]["routes"]


def test_routes_are_unique_and_authorized() -> None:
    routes = [route for function in FUNCTIONS["iam"].values() for route in function.routes]
    assert len({route.key for route in routes}) == len(routes) > 0
    assert all(route.authorized for route in routes)


@pytest.mark.parametrize("name", NAMES)
def test_function_has_every_variable_that_it_reads(started: dict[str, dict[str, Any]], name: str) -> None:
    variables = lambda_variables(FUNCTIONS["iam"][name], "").keys()
    assert not variables & NOT_DEPLOYED.keys()
    missing = set(started[name]["ours"]) - variables - NOT_DEPLOYED.keys()
    assert not missing, f"{name} reads variables that the template lacks"
    assert "POWERTOOLS_SERVICE_NAME" in started[name]["powertools"]


@pytest.mark.parametrize("name", NAMES)
def test_function_has_no_unused_variable(started: dict[str, dict[str, Any]], name: str) -> None:
    reads = {*started[name]["ours"], *started[name]["powertools"], *NOT_FOR_PYTHON}
    unread = FUNCTIONS["iam"][name].environment.keys() - reads
    assert not unread, f"{name} does not read these variables of the template"


@pytest.mark.parametrize("name", NAMES)
def test_function_service_name_is_its_folder(name: str) -> None:
    """Logs and metrics have this name, by which the alarms find them."""
    assert FUNCTIONS["iam"][name].environment["POWERTOOLS_SERVICE_NAME"] == name


def test_environment_is_read_only_at_start() -> None:
    """The tests above do not see variables that are read later."""
    layer = PROJECT / "layers" / "shared"
    paths = [*layer.glob("leads/**/*.py"), *(PROJECT / "functions").glob("*/app.py")]
    later = {
        ".".join(path.relative_to(layer if path.is_relative_to(layer) else PROJECT).with_suffix("").parts)
        for path in paths
        if any(looks_at_the_environment(node) for node in within_functions(ast.parse(path.read_text())))
    }
    assert later == READ_LATER.keys()


def within_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run in a call of a function: its body, but not its defaults."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in node.body:
                yield from ast.walk(statement)
        elif isinstance(node, ast.Lambda):
            yield from ast.walk(node.body)


def looks_at_the_environment(node: ast.AST) -> bool:
    """Return whether a node is `os.environ`, `os.getenv`, or makes settings of them."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("environ", "environb", "getenv", "from_environment", "from_settings")
    return isinstance(node, ast.alias) and node.name in ("environ", "environb", "getenv")


def test_walk_finds_late_reads_of_environment(tmp_path: Path) -> None:
    def later(code: str) -> bool:
        return any(map(looks_at_the_environment, within_functions(ast.parse(code))))

    assert later("import os\ndef f():\n    return os.environ['A']")
    assert later("import os\nasync def f():\n    if True:\n        os.getenv('A')")
    assert later("class A:\n    def f(self):\n        from os import environ")
    assert later("f = lambda: Bucket.from_settings(s)")
    assert not later("import os\nA = os.environ['A']\ndef f(a=os.environ):\n    return a['A']")
