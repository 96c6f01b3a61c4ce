"""The table of faults, as a plugin of pytest: which tests prove what of it, and what was seen of it.

    @pytest.mark.fault("a full disk")
    def test_…(seen: Seen) -> None:
        seen("FAILED after 3 attempts")

With `--fault-table` (make test-faults) the table is printed, and a fault of which no test passed fails the
run.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import pytest

Seen = Callable[[str], None]


class Row(NamedTuple):
    """Faults of which the same must hold."""

    must_hold: str
    faults: tuple[str, ...]


SLOW: Final = "slow_fault"
"""The marker of what `make test` leaves out: tests that wait for real limits, or repeat a thousand times."""

TABLE: Final = (
    Row(
        "one run, counts once, the second does nothing",
        (
            "the same event again",
            "the same event at the same instant",
            "the same event at the same instant in two processes",
            "the two events of one multipart upload",
        ),
    ),
    Row(
        "no job stuck, no crash loop, a log line",
        (
            "events out of order",
            "an event for an object that is gone",
            "s3:TestEvent",
            "a malformed event",
        ),
    ),
    Row(
        "every lead once, the job COMPLETED within a minute of the redelivery",
        (
            "SIGKILL before the claim",
            "SIGKILL in the first chunk",
            "SIGKILL in the last chunk",
            "SIGKILL between commit and answer",
            "a redelivery that meets the lock of a dead run",
        ),
    ),
    Row(
        "FAILED by expire_jobs, not one row kept, and a redrive completes it",
        ("SIGKILL of every attempt",),
    ),
    Row(
        "rolled back, retried, COMPLETED; or FAILED with a reason after the last retry, not one row kept",
        ("Postgres stopped hard and started again",),
    ),
    Row(
        "bounded waiting, an honest status, locks of dead runs gone within a minute",
        (
            "a connection that hangs",
            "a lock held by somebody else",
            "a full disk",
            "a statement timeout",
            "locks of a dead run",
        ),
    ),
    Row(
        "FAILED in time with a reason that tells what to do, no half import",
        ("the Lambda's time runs out in a large file",),
    ),
    Row(
        "retried or FAILED, no orphan part, no wrong counts",
        (
            "the S3 read breaks off in the middle",
            "a part upload fails",
            "the report cannot be written",
        ),
    ),
    Row(
        "SKIP makes no double, nobody starves, connections stay under the bound",
        ("20 imports of one organisation with the same phones", "50 organisations at once"),
    ),
    Row(
        "COMPLETED with counts that add up, or FAILED with a reason",
        ("1,000 random and damaged files",),
    ),
    Row(
        "FAILED (never uploaded) after its hour; logged and ignored",
        ("an upload that never comes", "a second object for a finished job"),
    ),
    Row("running jobs finish or retry", ("a new migration while jobs run",)),
    Row("never a half-written answer", ("the API asked for a job's result while it ends",)),
)
"""Chapter 5 of the design, fault by fault."""

_KNOWN: Final = {fault for row in TABLE for fault in row.faults}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-table", action="store_true", help="print the table of faults, and fail on gaps")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(name): proves what must hold of this fault of the table")
    config.addinivalue_line("markers", f"{SLOW}: takes too long for `make test`; `make test-faults` has it")
    if config.getoption("--fault-table"):
        config.pluginmanager.register(_Table(), "the table of faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses a name that the table does not have: what it proves would be proved of nothing."""
    for item in items:
        for fault in _faults(item):
            if fault not in _KNOWN:
                raise pytest.UsageError(f"{item.nodeid}: the table has no fault {fault!r}")


def _faults(item: pytest.Item) -> list[str]:
    return [marker.args[0] for marker in item.iter_markers("fault")]


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Seen:
    """Takes a line of what a test has seen, for the table."""
    return lambda line: record_property("seen", line)


class _Proof(NamedTuple):
    test: str
    passed: bool
    seconds: float
    lines: tuple[str, ...]


class _Table:
    """What the tests of one run said of each fault."""

    def __init__(self) -> None:
        self._proofs: dict[str, list[_Proof]] = {}

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        item.user_properties.extend(("fault", fault) for fault in _faults(item))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        said = report.user_properties
        lines = tuple(str(value) for name, value in said if name == "seen")
        proof = _Proof(_sentence(report.nodeid), report.passed, report.duration, lines)
        for fault in (str(value) for name, value in said if name == "fault"):
            self._proofs.setdefault(fault, []).append(proof)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not session.exitstatus and any(not self._holds(fault) for fault in _KNOWN):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("faults")
        for row in TABLE:
            terminalreporter.write_line(f"\n{row.must_hold}", bold=True)
            for fault in row.faults:
                holds = self._holds(fault)
                colour = {"green": holds, "red": not holds}
                terminalreporter.write_line(f"  {'holds   ' if holds else 'NOT SEEN'}  {fault}", **colour)
                for line in self._told(fault):
                    terminalreporter.write_line(f"              {line}")

    def _holds(self, fault: str) -> bool:
        proofs = self._proofs.get(fault, [])
        return bool(proofs) and all(proof.passed for proof in proofs)

    def _told(self, fault: str) -> Iterator[str]:
        by_test: dict[str, list[_Proof]] = {}
        for proof in self._proofs.get(fault, []):
            by_test.setdefault(proof.test, []).append(proof)
        for test, proofs in by_test.items():
            passed = sum(proof.passed for proof in proofs)
            ways = f", {len(proofs)} ways" if len(proofs) > 1 else ""
            failed = f", {len(proofs) - passed} NOT PASSED" if passed < len(proofs) else ""
            yield f"- {test} ({sum(proof.seconds for proof in proofs):.1f} s{ways}{failed})"
            for line in dict.fromkeys(line for proof in proofs for line in proof.lines):
                yield f"    seen: {line}"


def _sentence(nodeid: str) -> str:
    """`tests/…::test_the_name[some way]` as words."""
    name = nodeid.split("::")[1].partition("[")[0]
    return name.removeprefix("test_").replace("_", " ")
