"""The import rule: `domain <- formats, postgres, s3 <- jobs <- import_engine <- use_cases <- functions`.

`web` stands beside `use_cases`.

Read from the source of every module, imports within functions and for types alone included.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYER = ROOT / "layers" / "shared"

SHARED = {"errors", "settings", "observability"}
MAY_IMPORT = {
    "errors": {"domain"},
    "observability": set[str](),
    "settings": {"errors"},
    "cold_start": set[str](),
    "custom_resource": {"errors"},
    "domain": set[str](),
    "formats": {"domain", "errors"},
    "postgres": {"domain", *SHARED},
    "s3": {"domain", *SHARED},
    "jobs": {"domain", "formats", "postgres", "s3", *SHARED},
    "import_engine": {"domain", "formats", "postgres", "s3", "jobs", *SHARED},
    "use_cases": {"domain", "formats", "postgres", "s3", "jobs", "import_engine", *SHARED},
    "web": {"domain", *SHARED},
}
"""The packages that each package of `leads` may import beside itself. A function may import any of them."""

HTTP_FUNCTIONS = {"import_leads", "export_leads", "import_history"}
"""The functions behind API Gateway; every other one must start without a resolver."""

READING = "leads.import_engine.reader_worker"
"""The program of the reader process, for whose start each large import waits."""

OUTSIDE = (
    "boto3",
    "botocore",
    "mypy_boto3_s3",
    "pg8000",
    "aws_lambda_powertools",
    "awslambdaric",
    "multipart",
)


def module_name(path: Path) -> str:
    parts = path.relative_to(LAYER if path.is_relative_to(LAYER) else ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes_of(tree: ast.AST, *, at_start: bool) -> Iterator[ast.AST]:
    """Return the nodes of a module, or those that run when it is imported: none within a function."""
    for node in ast.iter_child_nodes(tree):
        if not (at_start and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            yield node
            yield from nodes_of(node, at_start=at_start)


def imports_of(path: Path, *, at_start: bool = False) -> set[str]:
    """Return the modules that a module imports; `from a import b` counts as `a.b`, which may be a module."""
    found: set[str] = set()
    for node in nodes_of(ast.parse(path.read_text()), at_start=at_start):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports would escape this test"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULE_FILES = sorted(LAYER.glob("leads/**/*.py"))
MODULES = {module_name(path): imports_of(path) for path in MODULE_FILES}
MODULES_AT_START = {module_name(path): imports_of(path, at_start=True) for path in MODULE_FILES}

FUNCTION_FILES = sorted(ROOT.glob("functions/*/app.py"))
FUNCTIONS = {path.parent.name: imports_of(path) for path in FUNCTION_FILES}
FUNCTIONS_AT_START = {path.parent.name: imports_of(path, at_start=True) for path in FUNCTION_FILES}


def package_of(module: str) -> str | None:
    """Return the package or module right below `leads` that a module belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == "leads" and len(parts) > 1 else None


def reached_from(imports: set[str], modules: Mapping[str, set[str]] = MODULES) -> set[str]:
    """Return each module of ours that these imports load, and the modules of others that they name."""
    reached: set[str] = set()
    queue = set(imports)
    while queue:
        name = queue.pop()
        package = name.rpartition(".")[0]
        known = package if name not in modules and package in modules else name
        if known not in reached:
            reached.add(known)
            queue |= modules.get(known, set()) | {known.rpartition(".")[0]} & modules.keys()
    return reached


def outside(names: set[str]) -> set[str]:
    return {name for name in names if name.partition(".")[0] in OUTSIDE}


def web_parts(names: set[str]) -> set[str]:
    return {
        name
        for name in names
        if package_of(name) == "web" or name.startswith("aws_lambda_powertools.event_handler")
    }


@pytest.mark.parametrize("module", [name for name in MODULES if package_of(name)])
def test_module_imports_only_lower_packages(module: str) -> None:
    own = package_of(module)
    assert own in MAY_IMPORT, f"{own} has no place in the order: give it one here and in the design"
    wrong = {
        name
        for name in MODULES[module]
        if name.partition(".")[0] in ("leads", "functions", "local", "tests", "bench")
        and package_of(name) not in MAY_IMPORT[own] | {own}
    }
    assert not wrong, f"{module} may import only {sorted(MAY_IMPORT[own])}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_imports_only_what_is_deployed_with_it(function: str) -> None:
    assert not {
        name
        for name in FUNCTIONS[function]
        if name.partition(".")[0] in ("functions", "local", "tests", "bench")
    }


@pytest.mark.parametrize("module", [name for name in MODULES if package_of(name) == "domain"])
def test_domain_imports_no_aws_driver_or_powertools(module: str) -> None:
    assert not outside(reached_from(MODULES[module]))


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - HTTP_FUNCTIONS))
def test_function_behind_no_api_starts_without_resolver(function: str) -> None:
    at_start = reached_from(FUNCTIONS_AT_START[function], MODULES_AT_START)
    assert "leads.observability" in at_start, "the walk over the imports missed a module"
    assert not web_parts(at_start)


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - HTTP_FUNCTIONS))
def test_function_behind_no_api_never_loads_web(function: str) -> None:
    assert not web_parts(reached_from(FUNCTIONS[function]))


def test_reader_worker_imports_no_driver_or_aws() -> None:
    reached = reached_from({READING})
    assert {"leads.formats.reader", "leads.postgres.copy_text"} <= reached, (
        "the walk over the imports missed a module"
    )
    assert not outside(reached)


def test_reader_worker_loads_no_driver_or_aws() -> None:
    program = f"import sys, {READING}; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(LAYER)}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(answer.stdout.split())
    assert READING in loaded
    assert not outside(loaded)
    # Nor what would take half as long again to load as all that it needs.
    assert not loaded & {"subprocess", "multiprocessing", "traceback", "pydantic"}


def test_functions_behind_the_api_have_a_resolver() -> None:
    assert {
        name for name in FUNCTIONS if "leads.web.resolver" in reached_from(FUNCTIONS[name])
    } == HTTP_FUNCTIONS


def test_api_loads_no_pydantic_models() -> None:
    """They take a fifth of a cold start; what is asked in JSON is checked by pydantic's core."""
    modules = ("leads.jobs.bodies", "leads.web.upload_requests", "leads.web.resolver")
    program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(LAYER), "POWERTOOLS_SERVICE_NAME": "test"}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(answer.stdout.split())
    assert {*modules, "pydantic_core"} <= loaded
    assert "pydantic" not in loaded
