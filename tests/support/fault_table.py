"""Print what the tests saw of the faults that they cause: `make test-faults`.

    @pytest.mark.fault("a full disk")
    def test_…(seen: Seen) -> None:
        seen("FAILED after 3 attempts")

The name of a test says what must hold. JUnit files have the same lines, as properties.
"""

from collections import defaultdict
from collections.abc import Callable

import pytest

Seen = Callable[[str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-table", action="store_true", help="print of each fault what its tests saw")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Copy the faults of each test into its report."""
    for item in items:
        item.user_properties.extend(("fault", marker.args[0]) for marker in item.iter_markers("fault"))


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Seen:
    """Return a function that takes a line for the table."""
    return lambda line: record_property("seen", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print each fault, and below it its tests with their outcomes and lines."""
    if not config.option.fault_table:
        return
    table: defaultdict[str, list[str]] = defaultdict(list)
    for outcome in ("passed", "skipped", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            test = report.nodeid.partition("::")[2].removeprefix("test_").replace("_", " ")
            seen = [f"    seen: {line}" for name, line in report.user_properties if name == "seen"]
            for name, fault in report.user_properties:
                if name == "fault":
                    table[fault] += [f"  {outcome}: {test} ({report.duration:.1f} s)", *seen]
    terminalreporter.section("faults")
    for fault, lines in sorted(table.items()):
        terminalreporter.write_line(f"\n{fault}", bold=True)
        terminalreporter.write_line("\n".join(lines))
