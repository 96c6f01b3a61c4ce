"""Implement `make demo`: import a real file twice, show the history and export it, over HTTP."""

from __future__ import annotations

import csv
import io
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import urllib3

from local.stack import Stack
from local.state import PROJECT, LaptopError, state_directory

FILE = PROJECT / "tests" / "data" / "french_authorities.csv"
ROWS = 5000
ROWS_WITHOUT_PHONE = 14
COLUMNS = [
    *("id", "name", "phone", "email", "source", "lead_source"),
    *("status", "score", "notes", "created_at", "updated_at"),
]

_WIDTH = 100


class DemoFailed(LaptopError):
    """Report that something was not as expected."""


def main() -> int:
    """Run the demo on a throw-away stack. Return 0 if all was as expected, or 1 and print the logs' path."""
    started_at = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="leads-demo-"))
    try:
        _heading("Starting a throw-away stack (Postgres, S3, the functions, the API)")
        with Stack(directory, throw_away=True) as stack:
            stack.warm()
            print(f"{stack.api} answers after {time.monotonic() - started_at:.1f} s")
            _Demo(stack).run()
    except LaptopError as error:
        print(f"\nThe demo failed: {error}\nIts logs are in {directory / 'logs'}", file=sys.stderr)
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    _heading(f"Done, everything as expected, in {time.monotonic() - started_at:.1f} s")
    print("Next: make run")
    return 0


class _Demo:
    def __init__(self, stack: Stack) -> None:
        self._api = stack.api
        self._http = urllib3.PoolManager(
            headers={"Authorization": f"Bearer {stack.token('acme')}"}, retries=False
        )

    def run(self) -> None:
        _heading(f"POST /api/v1/leads/import  {FILE.name}, {ROWS:,} rows, SKIP")
        first = self._import("SKIP")
        faults = first["validationErrors"]
        for fault in faults[:5]:
            print(f"  row {fault['row']}: {fault['message']}")
        print(f"  … {len(faults)} in all")
        _expect(first["errorCount"] == ROWS_WITHOUT_PHONE, f"{ROWS_WITHOUT_PHONE} rows have no phone")

        _heading("POST /api/v1/leads/import  the same file, OVERWRITE")
        second = self._import("OVERWRITE")
        _expect(second["errorCount"] == ROWS_WITHOUT_PHONE, "the same rows have no phone")
        _expect(second["skippedCount"] == 0, "OVERWRITE skips nothing")

        _heading("GET /api/v1/leads/import/history")
        self._history([second["importJobId"], first["importJobId"]])

        _heading("GET /api/v1/leads/export  303 to the file")
        self._export(expected_rows=first["successCount"])

    def _import(self, strategy: str) -> dict[str, Any]:
        started_at = time.monotonic()
        fields: dict[str, Any] = {
            "file": (FILE.name, FILE.read_bytes(), "text/csv"),
            "mergeStrategy": strategy,
        }
        response = self._http.request("POST", f"{self._api}/api/v1/leads/import", fields=fields)
        _expect(
            response.status == 200, f"status 200 within the wait, not {response.status} {response.data!r}"
        )
        job: dict[str, Any] = response.json()
        seconds = time.monotonic() - started_at
        print(
            f"job {job['importJobId']} {job['status']} in {seconds:.1f} s: {job['totalRows']:,} rows = "
            f"{job['successCount']:,} imported + {job['skippedCount']:,} skipped"
            f" + {job['errorCount']:,} with errors"
        )
        _expect(job["status"] == "COMPLETED", "the job is COMPLETED")
        _expect(job["totalRows"] == ROWS, f"the file has {ROWS} rows")
        counted = job["successCount"] + job["skippedCount"] + job["errorCount"]
        _expect(counted == ROWS, "each row counts once")
        return job

    def _history(self, expected_ids: list[int]) -> None:
        response = self._http.request("GET", f"{self._api}/api/v1/leads/import/history")
        _expect(response.status == 200, f"status 200, not {response.status} {response.data!r}")
        jobs = response.json()
        print("  newest first: imported + skipped + with errors")
        for job in jobs:
            print(
                f"  job {job['id']}  {job['createdAt']}  {job['status']}  {job['mergeStrategy']:<9}  "
                f"{job['successCount']:,} + {job['skippedCount']:,} + {job['errorCount']:,}"
                f"  {job['filename']}"
            )
        _expect([job["id"] for job in jobs] == expected_ids, "both jobs, the newest first")

    def _export(self, expected_rows: int) -> None:
        response = self._http.request("GET", f"{self._api}/api/v1/leads/export", redirect=False)
        _expect(response.status == 303, f"status 303, not {response.status} {response.data!r}")
        link = urljoin(self._api, response.headers["Location"])
        # The link is signed, so it needs no Authorization header.
        download = urllib3.request("GET", link, retries=False)
        _expect(download.status == 200, f"status 200 at the link, not {download.status}")
        disposition = download.headers.get("Content-Disposition", "")
        filename = re.search(r'filename="?(leads_export_\d{8}_\d{6}\.csv)"?', disposition)
        if filename is None:
            raise DemoFailed(f"the download has no file name: {disposition!r}")
        text = download.data.decode("utf-8-sig")
        for line in text.splitlines()[:6]:
            print(f"  {line if len(line) <= _WIDTH else line[: _WIDTH - 1] + '…'}")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        _expect(rows[0] == COLUMNS, f"the columns {COLUMNS}, not {rows[0]}")
        _expect(len(rows) - 1 == expected_rows, f"{expected_rows} leads, not {len(rows) - 1}")
        saved = state_directory() / "demo" / filename[1]
        saved.parent.mkdir(parents=True, exist_ok=True)
        saved.write_bytes(download.data)
        print(f"{len(rows) - 1:,} leads in {_short(saved)}")


def _heading(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _short(path: Path) -> str:
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole)


def _expect(condition: bool, expectation: str) -> None:
    if not condition:
        raise DemoFailed(f"expected: {expectation}")


if __name__ == "__main__":
    sys.exit(main())
