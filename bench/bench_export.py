"""Time whole exports against psql's copy of the same rows, in alternation (make bench-export).

The floor is psql's copy. Each value is a ratio to the mean of the floors right before and after it:

- `ratio`: the job, from the gateway's event to its answer
- `copy`: the service's COPY into a sink that discards the rows
- `upload`: the upload of the same bytes from a file
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

from bench.console import describe_run, print_line
from bench.environment import ORG, Environment
from bench.floor import run_psql
from bench.memory import PeakMemory
from leads.domain.export_job import ExportOrder
from leads.domain.lead_filter import EXPORT_COLUMNS
from leads.postgres.export import copy_leads
from leads.s3.bucket import Bucket
from leads.s3.multipart_writer import MultipartWriter
from leads.web.export_requests import read_export_request
from local.aws.http_event import Request, build_event

_FUNCTION: Final = "ExportLeadsFunction"
_ROUTE: Final = "/api/v1/leads/export"
_CLAIMS: Final = {"sub": "bench", "custom:org_id": ORG, "custom:role": "ADMIN"}
_BLOCK_BYTES: Final = 256 * 1024

_LINE: Final = "{:>9}  {:<22}  {:>9}  {:>7}  {:>9}  {:>5}  {:>11}  {:>5}  {:>6}  {:>4}"
_TITLES: Final = ("leads", "what", "rows", "seconds", "rows/s", "ratio", "(from-to)", "copy", "upload", "MB")


class Case(NamedTuple):
    """One line of the result: a query of the route, and the same filter in SQL for psql."""

    name: str
    query: dict[str, str]
    condition: str


_CASES: Final = (
    Case("status=NEW", {"status": "NEW"}, "status = 'NEW'"),
    Case("all 18 columns", {"columns": ",".join(EXPORT_COLUMNS)}, "true"),
    Case("1 % by status", {"status": "WON"}, "status = 'WON'"),
    Case("1 % by source", {"source": "REFERRAL"}, "source = 'referral'"),
    Case(
        "1 % by date",
        {"startDate": "2024-06-01T00:00:00", "endDate": "2024-06-08T07:11:59"},
        "created_at >= '2024-06-01 00:00:00+00' AND created_at < '2024-06-08 07:12:00+00'",
    ),
    Case("status=NEW, excel", {"status": "NEW", "format": "excel"}, "status = 'NEW'"),
    Case("status=NEW, gzip", {"status": "NEW", "gzip": "true"}, "status = 'NEW'"),
)


class Round(NamedTuple):
    """Times of the job, its floor, the COPY and the upload, with the job's peak memory and rows."""

    job_seconds: float
    floor_seconds: float
    copy_seconds: float
    upload_seconds: float
    megabytes: float
    rows: int


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(prog="make bench-export")
    parser.add_argument("--rows", type=int, nargs="+", default=(100_000, 1_000_000))
    parser.add_argument("--case", nargs="+", default=[case.name for case in _CASES])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print_line(f"{describe_run()}, {options.rounds} rounds\n{_LINE.format(*_TITLES)}")
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as directory, Environment(Path(directory)) as environment:
            run_psql(environment.uri, "export_leads", org=ORG, rows=str(rows))
            for case in _CASES:
                if case.name in options.case:
                    rounds = [_round(environment, case, Path(directory)) for _ in range(options.rounds)]
                    print_line(_line(rows, case, rounds))


def _round(environment: Environment, case: Case, directory: Path) -> Round:
    order = read_export_request(case.query)
    file = directory / "floor.csv"

    def floor() -> float:
        columns = ", ".join(order.columns)
        return _timed(
            lambda: run_psql(
                environment.uri,
                "export_floor",
                file=str(file),
                columns=columns,
                org=ORG,
                where=case.condition,
            )
        )

    # The function is warm, but an earlier job's memory would count in this one's peak. So start it anew.
    environment.functions.cool(_FUNCTION)
    _export(environment, {"startDate": "2030-01-01T00:00:00"})
    before = floor()
    with PeakMemory("awslambdaric") as memory:
        started_at = time.perf_counter()
        rows = _export(environment, case.query)
        job = time.perf_counter() - started_at
    after = floor()
    copy = _timed(lambda: _copy(environment, order))
    upload = _timed(lambda: _upload(environment, file))
    return Round(job, (before + after) / 2, copy, upload, memory.megabytes, rows)


def _export(environment: Environment, query: dict[str, str]) -> int:
    request = Request(
        "GET", f"{_ROUTE}?{urlencode(query)}", (("Accept", "application/json"),), b"", "127.0.0.1"
    )
    event = build_event(request, f"GET {_ROUTE}", {}, _CLAIMS, "bench")
    outcome = environment.functions.invoke(_FUNCTION, json.dumps(event).encode())
    answer = json.loads(outcome.payload)
    if answer.get("statusCode") != 200:
        raise RuntimeError(f"the export failed: {answer}")
    return int(json.loads(answer["body"])["rowCount"])


class _DiscardingSink:
    def write(self, data: bytes, rows: int, /) -> None:
        pass


def _copy(environment: Environment, order: ExportOrder) -> None:
    with environment.app().connect() as connection, connection.transaction(ORG):
        copy_leads(connection, ORG, order, _DiscardingSink())


def _upload(environment: Environment, file: Path) -> None:
    writer = MultipartWriter(
        Bucket(environment.s3.client, environment.bucket), "exports/ready-made.csv", "text/csv"
    )
    with writer, file.open("rb") as content:
        while block := content.read(_BLOCK_BYTES):
            writer.write(block)
        writer.close()


def _timed(work: Callable[[], object]) -> float:
    started_at = time.perf_counter()
    work()
    return time.perf_counter() - started_at


def _line(leads: int, case: Case, rounds: list[Round]) -> str:
    seconds = statistics.median(one.job_seconds for one in rounds)
    ratios = [one.job_seconds / one.floor_seconds for one in rounds]
    return _LINE.format(
        f"{leads:,}",
        case.name,
        f"{rounds[0].rows:,}",
        f"{seconds:.2f}",
        f"{rounds[0].rows / seconds:,.0f}",
        f"{statistics.median(ratios):.2f}",
        f"({min(ratios):.2f}-{max(ratios):.2f})",
        f"{statistics.median(one.copy_seconds / one.floor_seconds for one in rounds):.2f}",
        f"{statistics.median(one.upload_seconds / one.floor_seconds for one in rounds):.2f}",
        # An export shorter than the sampling interval has no peak.
        f"{peak:.0f}" if (peak := max(one.megabytes for one in rounds)) else "",
    )


if __name__ == "__main__":
    main()
