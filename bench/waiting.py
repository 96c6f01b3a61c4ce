"""Time the answers to a small file by HTTP, and how long after the job's end they arrive."""

import statistics
import time
from datetime import datetime
from pathlib import Path
from typing import Final

import urllib3

from bench.environment import database_settings
from bench.lead_files import Phones, write_leads
from leads.postgres.connection import Database
from leads.postgres.import_jobs import get_import_job
from local.stack import Stack

_ROWS: Final = 100
_REQUESTS: Final = 40
_WARM_UP_REQUESTS: Final = 5
"""Requests that start the functions. Their times do not count."""


def time_small_file(directory: Path) -> str:
    """Send a small file repeatedly, and return a sentence with the times of the answers and their delays."""
    file = directory / "small.csv"
    write_leads(file, _ROWS, Phones.CANONICAL)
    with Stack(directory / "stack", throw_away=True) as stack, urllib3.PoolManager() as http:
        database = Database(database_settings(stack.database), "bench")
        headers = {"Authorization": f"Bearer {stack.token('bench')}", "Content-Type": "text/csv"}
        answer_ms, delay_ms = [], []
        for _ in range(_WARM_UP_REQUESTS + _REQUESTS):
            started_at = time.time()
            answer = http.request(
                "POST", f"{stack.api}/api/v1/leads/import", body=file.read_bytes(), headers=headers
            )
            ended = time.time()
            with database.connect() as connection:
                job = get_import_job(connection, "bench", answer.json()["importJobId"])
            if job is None or not isinstance(job.finished_at, datetime):
                raise RuntimeError(f"the import did not end: {answer.status}")
            answer_ms.append((ended - started_at) * 1000)
            delay_ms.append((ended - job.finished_at.timestamp()) * 1000)
    answer_ms, delay_ms = answer_ms[_WARM_UP_REQUESTS:], delay_ms[_WARM_UP_REQUESTS:]
    return (
        f"{_ROWS} rows, {_REQUESTS} times: answer after {statistics.median(answer_ms):.0f} ms (median), "
        f"{statistics.median(delay_ms):.0f} ms after the job's end (at most {max(delay_ms):.0f})"
    )
