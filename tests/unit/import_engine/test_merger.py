"""What a run does at its end."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from leads.errors import ImportTooLong
from leads.import_engine.merger import BatchMerger


class TimeThatIsOver:
    def limit_statements(self) -> None:
        raise ImportTooLong("the import was out of time")


class ReportThatIsToStayOpen:
    def add(self, batches: Sequence[object], skipped: Sequence[int]) -> None:
        pass

    def close(self) -> None:
        pytest.fail("a report was stored by a run that could not commit")


def test_a_run_that_is_out_of_time_stores_no_report() -> None:
    nothing: Any = SimpleNamespace(ignored_columns=())
    time_left: Any = TimeThatIsOver()
    report: Any = ReportThatIsToStayOpen()
    run = BatchMerger(nothing, nothing, nothing, report, time_left, initial_merge_rows=1, merge_rows=1)
    with pytest.raises(ImportTooLong):
        run.finish()
