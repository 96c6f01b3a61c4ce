"""The table of faults tells what was seen, and a gap in it fails the run."""

import pytest

from tests.support import fault_table

pytest_plugins = ["pytester"]

HOLDING = "the same event again"
MARKED = f"@pytest.mark.fault({HOLDING!r})\n"


@pytest.fixture(autouse=True)
def short_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fault, of which all is known."""
    monkeypatch.setattr(fault_table, "TABLE", (fault_table.Row("one run", (HOLDING,)),))
    monkeypatch.setattr(fault_table, "_KNOWN", {HOLDING})


def run(pytester: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(f"import pytest\n\n{test}\n")
    return pytester.runpytest_inprocess(*arguments, plugins=[fault_table])


def test_what_was_seen_of_a_fault_is_printed(pytester: pytest.Pytester) -> None:
    test = f"{MARKED}def test_it_runs_once(seen):\n    seen('2 runs, 1 lead')"
    result = run(pytester, test, "--fault-table")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"*holds*{HOLDING}", "*- it runs once (*", "*seen: 2 runs, 1 lead"])


@pytest.mark.parametrize(
    "test",
    [
        "def test_of_something_else(): pass",
        f"@pytest.mark.skip\n{MARKED}def test_it(): pass",
        f"@pytest.mark.xfail\n{MARKED}def test_it(): assert 0",
        f"{MARKED}@pytest.mark.parametrize('n', [1, 2])\ndef test_it(n): assert n > 1",
    ],
    ids=["no test", "skipped", "expected to fail", "one of two failed"],
)
def test_a_fault_of_which_not_all_tests_passed_fails_the_run(pytester: pytest.Pytester, test: str) -> None:
    result = run(pytester, test, "--fault-table")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*NOT SEEN*{HOLDING}"])


def test_without_the_table_a_gap_is_none(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_of_something_else(): pass")
    assert result.ret == pytest.ExitCode.OK
    assert "NOT SEEN" not in result.stdout.str()


def test_a_fault_that_the_table_does_not_have_is_refused(pytester: pytest.Pytester) -> None:
    result = run(pytester, "@pytest.mark.fault('rain')\ndef test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
