"""template.yaml against the code: functions, handlers, routes and environments, each way round.

Every function is started in a process of its own with exactly the variables that Lambda and the template give
it, so one that is missing is missing.
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
"""The values of DatabaseAuth: which variables a function reads depends on it."""

NOT_FOR_PYTHON: Final = {
    "MALLOC_ARENA_MAX": "glibc reads it before Python begins",
    "MALLOC_MMAP_THRESHOLD_": "glibc reads it before Python begins",
}

NOT_DEPLOYED: Final = {"AWS_ENDPOINT_URL_S3": "only the laptop's S3 is elsewhere"}
"""What a function looks for and finds on the laptop alone."""

READ_LATER: Final = {
    "leads.import_engine.reader_process": "hands what the process that reads a file needs on to it",
}
"""Modules whose functions look at the environment, or make a client, after the function has started."""


def functions_with(auth: str) -> dict[str, Function]:
    """The template's functions by their folders, with the logins of this kind."""
    template = load_template(
        PROJECT / "template.yaml", {**PARAMETERS, "DatabaseAuth": auth}, stack_name=STACK
    )
    return {function.code.name: function for function in template.functions}


FUNCTIONS: Final = {auth: functions_with(auth) for auth in AUTHS}
NAMES: Final = sorted(FUNCTIONS["iam"])


@pytest.fixture(scope="module")
def started() -> dict[str, dict[str, Any]]:
    """What each function found when it started."""
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
    assert answer.returncode == 0, f"{name} does not start with what the template gives it:\n{answer.stderr}"
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_every_folder_is_a_function_and_every_function_has_its_folder() -> None:
    folders = {path.parent.name for path in (PROJECT / "functions").glob("*/app.py")}
    assert set(NAMES) == folders
    for name, function in FUNCTIONS["iam"].items():
        assert function.code == PROJECT / "functions" / name
        camel = "".join(map(str.capitalize, name.split("_")))
        assert function.logical_id == f"{camel}Function"
        assert function.layers == (PROJECT / "layers" / "shared",)


@pytest.mark.parametrize("name", NAMES)
def test_the_handler_is_there(started: dict[str, dict[str, Any]], name: str) -> None:
    assert started[name]["callable"], FUNCTIONS["iam"][name].handler


@pytest.mark.parametrize("name", NAMES)
def test_the_gateway_has_the_routes_that_the_resolver_has(
    started: dict[str, dict[str, Any]], name: str
) -> None:
    gateway = sorted([route.method, route.path] for route in FUNCTIONS["iam"][name].routes)
    assert gateway == started[name]["routes"]


def test_no_route_is_of_two_functions_and_every_route_wants_a_token() -> None:
    routes = [route for function in FUNCTIONS["iam"].values() for route in function.routes]
    assert len({route.key for route in routes}) == len(routes) > 0
    assert all(route.authorized for route in routes)


@pytest.mark.parametrize("name", NAMES)
def test_a_function_is_given_every_variable_that_it_reads(
    started: dict[str, dict[str, Any]], name: str
) -> None:
    given = lambda_variables(FUNCTIONS["iam"][name], "").keys()
    assert not given & NOT_DEPLOYED.keys()
    missing = set(started[name]["ours"]) - given - NOT_DEPLOYED.keys()
    assert not missing, f"{name} reads what the template does not give it"
    assert "POWERTOOLS_SERVICE_NAME" in started[name]["powertools"]


@pytest.mark.parametrize("name", NAMES)
def test_a_function_is_given_no_variable_that_nobody_reads(
    started: dict[str, dict[str, Any]], name: str
) -> None:
    reads = {*started[name]["ours"], *started[name]["powertools"], *NOT_FOR_PYTHON}
    unread = FUNCTIONS["iam"][name].environment.keys() - reads
    assert not unread, f"the template gives {name} what it does not read"


@pytest.mark.parametrize("name", NAMES)
def test_a_function_calls_itself_by_its_name(name: str) -> None:
    """Its logs and its metrics, by which the alarms find them."""
    assert FUNCTIONS["iam"][name].environment["POWERTOOLS_SERVICE_NAME"] == name


def test_the_environment_is_read_when_a_function_starts_and_not_later() -> None:
    """Or the tests above would not see it."""
    layer = PROJECT / "layers" / "shared"
    paths = [*layer.glob("leads/**/*.py"), *(PROJECT / "functions").glob("*/app.py")]
    later = {
        ".".join(path.relative_to(layer if path.is_relative_to(layer) else PROJECT).with_suffix("").parts)
        for path in paths
        if any(looks_at_the_environment(node) for node in within_functions(ast.parse(path.read_text())))
    }
    assert later == READ_LATER.keys()


def within_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when a function is called: its body, not its defaults, which are made before."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in node.body:
                yield from ast.walk(statement)
        elif isinstance(node, ast.Lambda):
            yield from ast.walk(node.body)


def looks_at_the_environment(node: ast.AST) -> bool:
    """Whether it is `os.environ`, `os.getenv`, or makes settings out of them."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("environ", "environb", "getenv", "from_environment", "from_settings")
    return isinstance(node, ast.alias) and node.name in ("environ", "environb", "getenv")


def test_the_walk_sees_what_runs_later(tmp_path: Path) -> None:
    def later(code: str) -> bool:
        return any(map(looks_at_the_environment, within_functions(ast.parse(code))))

    assert later("import os\ndef f():\n    return os.environ['A']")
    assert later("import os\nasync def f():\n    if True:\n        os.getenv('A')")
    assert later("class A:\n    def f(self):\n        from os import environ")
    assert later("f = lambda: Bucket.from_settings(s)")
    assert not later("import os\nA = os.environ['A']\ndef f(a=os.environ):\n    return a['A']")
