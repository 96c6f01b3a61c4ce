"""What waiting for the job costs who sends a small file: how long after the job's end its answer is there."""

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
_TIMES: Final = 40


def time_waiting(directory: Path) -> str:
    """Sends a file often enough for a median; says what the answers took and how late they were."""
    file = directory / "small.csv"
    write_leads(file, _ROWS, Phones.CANONICAL)
    with Stack(directory / "stack", throw_away=True) as stack, urllib3.PoolManager() as http:
        database = Database(database_settings(stack.database), "bench")
        headers = {"Authorization": f"Bearer {stack.token('bench')}", "Content-Type": "text/csv"}
        answers, late = [], []
        for _ in range(_TIMES + 5):
            began = time.time()
            answer = http.request(
                "POST", f"{stack.api}/api/v1/leads/import", body=file.read_bytes(), headers=headers
            )
            ended = time.time()
            with database.connect() as connection:
                job = get_import_job(connection, "bench", answer.json()["importJobId"])
            if job is None or not isinstance(job.finished_at, datetime):
                raise RuntimeError(f"the import did not end: {answer.status}")
            answers.append((ended - began) * 1000)
            late.append((ended - job.finished_at.timestamp()) * 1000)
    # The first ones start the functions.
    answers, late = answers[5:], late[5:]
    return (
        f"{_ROWS} rows, {_TIMES} times: answer after {statistics.median(answers):.0f} ms (median), "
        f"{statistics.median(late):.0f} ms after the job's end (at most {max(late):.0f})"
    )
