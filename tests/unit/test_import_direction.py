"""`domain <- csv_format, postgres, s3 <- use_cases <- web, functions`: nothing imports rightwards.

Read from the source of every module, imports within functions and for types alone included.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYER = ROOT / "layers" / "shared"

SHARED = {"errors", "settings", "observability"}
MAY_IMPORT = {
    "errors": set[str](),
    "observability": set[str](),
    "settings": {"errors"},
    "domain": {"errors"},
    "csv_format": {"domain", "errors"},
    "postgres": {"domain", *SHARED},
    "s3": {"domain", *SHARED},
    "use_cases": {"domain", "csv_format", "postgres", "s3", *SHARED},
    "web": {"domain", "csv_format", "postgres", "s3", "use_cases", *SHARED},
}
"""What each package of `leads` may import beside itself; a function may import any of them."""

HTTP_FUNCTIONS = {"import_leads", "export_leads", "import_history"}
"""The functions behind API Gateway; every other one must start without a resolver."""

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


def imports_of(path: Path) -> set[str]:
    """The modules that a module imports; `from a import b` counts as `a.b`, which may be a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports would escape this test"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {module_name(path): imports_of(path) for path in sorted(LAYER.glob("leads/**/*.py"))}
FUNCTIONS = {path.parent.name: imports_of(path) for path in sorted(ROOT.glob("functions/*/app.py"))}


def package_of(module: str) -> str | None:
    """The package or module right below `leads` that a module belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == "leads" and len(parts) > 1 else None


def reached_from(imports: set[str]) -> set[str]:
    """Every module of ours that these imports load, and those of others that they name."""
    reached: set[str] = set()
    waiting = set(imports)
    while waiting:
        name = waiting.pop()
        module = name if name in MODULES else name.rpartition(".")[0]
        known = module if module in MODULES else name
        if known not in reached:
            reached.add(known)
            waiting |= MODULES.get(known, set())
    return reached


@pytest.mark.parametrize("module", [name for name in MODULES if package_of(name)])
def test_a_module_imports_only_what_stands_left_of_it(module: str) -> None:
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
def test_a_function_imports_no_other_function_and_nothing_that_is_never_deployed(function: str) -> None:
    assert not {
        name
        for name in FUNCTIONS[function]
        if name.partition(".")[0] in ("functions", "local", "tests", "bench")
    }


@pytest.mark.parametrize("module", [name for name in MODULES if package_of(name) == "domain"])
def test_the_domain_knows_no_aws_no_sql_driver_and_no_powertools(module: str) -> None:
    assert not {name for name in reached_from(MODULES[module]) if name.partition(".")[0] in OUTSIDE}


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - HTTP_FUNCTIONS))
def test_a_function_behind_no_api_starts_without_an_http_resolver(function: str) -> None:
    reached = reached_from(FUNCTIONS[function])
    assert "leads.observability" in reached, "the walk over the imports lost its way"
    assert not {
        name
        for name in reached
        if package_of(name) == "web" or name.startswith("aws_lambda_powertools.event_handler")
    }


def test_the_functions_behind_the_api_are_the_ones_that_have_a_resolver() -> None:
    assert {
        name for name in FUNCTIONS if "leads.web.resolver" in reached_from(FUNCTIONS[name])
    } == HTTP_FUNCTIONS
