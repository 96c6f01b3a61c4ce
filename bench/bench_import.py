"""Time whole import jobs against Postgres alone, in alternation (make bench-import).

The machine's speed changes from one minute to the next. So each job has its own floors, right before and
after it. The result is the median of the rounds' ratios.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from bench.console import describe_run, print_line
from bench.environment import ORG
from bench.floor import FloorTable, time_floor
from bench.import_environment import ImportEnvironment
from bench.lead_files import Phones, write_leads, write_wrong_rows
from bench.waiting import time_small_file
from leads.domain.merge_strategy import MergeStrategy

_SIZES: Final = (10_000, 100_000, 1_000_000)

_LINE: Final = "{:>9}  {:<9}  {:<10}  {:<6}  {:>7}  {:>7}  {:>5}  {:>11}  {:>5}  {:>4}"
_TITLES: Final = (
    "rows",
    "phones",
    "strategy",
    "table",
    "seconds",
    "rows/s",
    "ratio",
    "(from-to)",
    "own",
    "MB",
)

_WRONG: Final = "wrong"
"""Value of --phones for a file in which every row is faulty."""


class Case(NamedTuple):
    """One line of the result."""

    rows: int
    phones: str
    strategy: MergeStrategy
    table: str
    """`empty`, or `stored`: every row of the file has a lead among the `--stored` leads of the table."""


class Round(NamedTuple):
    """Times of a job, of the floors beside it, and of the floor that writes to dossier."""

    job_seconds: float
    floor_seconds: float
    dossier_floor_seconds: float


def main() -> None:
    """Print a line for each case, and then the times of a small file."""
    options = _options()
    print_line(f"{describe_run()}, {options.rounds} rounds\n{_LINE.format(*_TITLES)}")
    with tempfile.TemporaryDirectory() as directory, ImportEnvironment(Path(directory)) as environment:
        stored = ""
        for case in _cases(options):
            if case.table == "stored" and stored != case.phones:
                environment.store(_file(Path(directory), options.stored, case.phones, town="Paris"))
                stored = case.phones
            file = _file(Path(directory), case.rows, case.phones)
            rounds = [_round(environment, file, case) for _ in range(options.rounds)]
            environment.reset(case.table)
            print_line(_line(case, rounds, environment.measure_peak(file, case.strategy)))
    with tempfile.TemporaryDirectory() as directory:
        print_line(f"\nA small file by HTTP: {time_small_file(Path(directory))}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-import")
    parser.add_argument("--rows", type=int, nargs="+", default=_SIZES)
    parser.add_argument("--phones", nargs="+", default=[*Phones], choices=[*Phones, _WRONG])
    parser.add_argument("--strategy", nargs="+", default=[*MergeStrategy], choices=[*MergeStrategy])
    parser.add_argument("--table", nargs="+", default=["empty", "stored"], choices=["empty", "stored"])
    parser.add_argument("--stored", type=int, default=max(_SIZES), help="leads of the stored table")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _cases(options: argparse.Namespace) -> list[Case]:
    return [
        Case(rows, phones, MergeStrategy(strategy), table)
        for table in options.table
        for phones in options.phones
        for strategy in options.strategy
        for rows in options.rows
    ]


def _file(directory: Path, rows: int, phones: str, *, town: str = "Lyon") -> Path:
    path = directory / f"{rows}_{phones}_{town}.csv"
    if not path.exists():
        if phones == _WRONG:
            write_wrong_rows(path, rows)
        else:
            write_leads(path, rows, Phones(phones), town=town)
    return path


def _round(environment: ImportEnvironment, file: Path, case: Case) -> Round:
    def floor(table: FloorTable) -> float:
        # Postgres would refuse the faulty rows, so there is no floor.
        return time_floor(environment.uri, file, case.strategy, table, ORG) if case.phones != _WRONG else 0.0

    def fresh(measure: Callable[[], float]) -> float:
        environment.reset(case.table)
        return measure()

    before = fresh(lambda: floor(FloorTable.PLAIN))
    environment.reset(case.table)
    measured = environment.run(file, case.strategy)
    after = fresh(lambda: floor(FloorTable.PLAIN))
    dossier = fresh(lambda: floor(FloorTable.DOSSIER))
    return Round(measured.seconds, (before + after) / 2, dossier)


def _line(case: Case, rounds: list[Round], megabytes: float) -> str:
    seconds = statistics.median(one.job_seconds for one in rounds)
    ratios = [one.job_seconds / one.floor_seconds for one in rounds if one.floor_seconds]
    own = [one.job_seconds / one.dossier_floor_seconds for one in rounds if one.dossier_floor_seconds]
    return _LINE.format(
        f"{case.rows:,}",
        case.phones,
        case.strategy,
        case.table,
        f"{seconds:.2f}",
        f"{case.rows / seconds:,.0f}",
        f"{statistics.median(ratios):.2f}" if ratios else "",
        f"({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "",
        f"{statistics.median(own):.2f}" if own else "",
        f"{megabytes:.0f}",
    )


if __name__ == "__main__":
    main()
