"""Check that an import at its deadline stores no report."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from leads.errors import ImportTooLong
from leads.import_engine.merger import BatchMerger
from leads.import_engine.sizes import Sizes


class DeadlineThatHasPassed:
    def limit_statements(self) -> None:
        raise ImportTooLong("the import was out of time")


class ReportThatMustNotBeStored:
    def add(self, batches: Sequence[object], skipped: Sequence[int]) -> None:
        pass

    def close(self) -> None:
        pytest.fail("a report was stored by a run that could not commit")


def test_finish_at_the_deadline_stores_no_report() -> None:
    nothing: Any = SimpleNamespace(ignored_columns=())
    deadline: Any = DeadlineThatHasPassed()
    report: Any = ReportThatMustNotBeStored()
    merger = BatchMerger(nothing, nothing, report, deadline, Sizes())
    with pytest.raises(ImportTooLong):
        merger.finish()
