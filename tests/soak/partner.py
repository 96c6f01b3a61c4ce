"""Act as a partner of the soak: send files and fetch exports, one after the other.

The partner knows which leads it must have. When the service does not answer, it looks its file up, as people
would.
"""

import csv
import io
import json
import random
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

import urllib3
from urllib3.exceptions import HTTPError

from leads.domain.lead import FIELDS
from leads.s3.events import StoredFile
from tests.e2e.test_service import EXPORT, IMPORT, Client
from tests.soak.files import SentFile, make_file
from tests.support.fragile_stack import FragileStack
from tests.support.import_oracle import StoredLead, import_rows
from tests.support.service import s3_event

PATIENCE = 45.0
"""Seconds after which a partner has its file sent through again, as somebody redrives a dead letter."""

GIVEN_UP = 300.0
"""Seconds after which a job that has not ended is a fault of ours, with somebody who redrives it."""

ANSWER_SECONDS = 40
OVER = ("COMPLETED", "FAILED")
INTERNAL_ERROR = "An internal error"
NOT_STORED = "while storing the file"
"""Part of the reason of a job whose file S3 did not store. No run continues it."""
KINDS = ("import", "import", "upload", "drop", "drop", "export", "nothing")
COLUMNS = (*FIELDS, "status")


class SoakJob(NamedTuple):
    """An import that was recorded: how it must have ended, None when its file was never stored."""

    id: int
    dropped: str | None
    status: str | None
    counts: tuple[int, int, int]


class Partner(threading.Thread):
    """Works until its time is over, and then until its last file is done."""

    def __init__(self, stack: FragileStack, seed: str, until: float) -> None:
        super().__init__(name=f"partner {seed}")
        self.client = Client(stack)
        self.leads: list[StoredLead] = []
        self.jobs: dict[str, SoakJob] = {}
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._stack = stack
        self._choose = random.Random(seed)  # noqa: S311 (the same seed sends the same)
        self._until = until
        self._files = 0

    def run(self) -> None:
        try:
            while time.monotonic() < self._until:
                kind = self._choose.choice(
                    ("import", "import", "upload", "drop", "drop", "export", "nothing")
                )
                if kind == "export":
                    self._export()
                elif kind == "nothing":
                    self._begin_an_upload_that_never_comes()
                else:
                    self._import(kind)
        except Exception as error:
            self.wrong.append(f"{self.client.org}: {error!r}")

    def _import(self, kind: str) -> None:
        self._files += 1
        name, file = f"{self._files}.csv", make_file(self._choose)
        key = f"drop/{self.client.org}/{file.strategy}/{name}"
        if kind == "drop":
            self._stack.s3.client.put_object(Bucket=self._stack.bucket, Key=key, Body=file.content)
        elif not (self._post(name, file) if kind == "import" else self._upload(name, file)):
            self.done["sent in vain or without an answer"] += 1
        job = self._job_named(name, must_come=kind == "drop")
        if job is None:
            return
        if kind != "drop":
            key = f"imports/{self.client.org}/{job['id']}/upload.csv"
        version = self._version(key)
        if version is None:
            self.jobs[name] = SoakJob(job["id"], None, None, (0, 0, 0))
            return
        job = self._ended(job["id"], StoredFile(key, version))
        self._apply(name, file, job, dropped=kind == "drop")
        if self._choose.random() < 0.2:
            self._announce(StoredFile(key, version))
            self.done["delivered once more"] += 1

    def _post(self, name: str, file: SentFile) -> bool:
        wait = self._choose.choice(("respond-async", "wait=2"))
        path = f"{IMPORT}?mergeStrategy={file.strategy}&filename={name}"
        headers = {"Content-Type": "application/octet-stream", "Prefer": wait}
        answer = self._ask("POST", path, headers=headers, body=file.content)
        return answer is not None and answer.status < 500

    def _upload(self, name: str, file: SentFile) -> bool:
        body = json.dumps({"filename": name, "mergeStrategy": file.strategy}).encode()
        headers = {"Content-Type": "application/json"}
        answer = self._ask("POST", f"{IMPORT}/uploads", headers=headers, body=body)
        if answer is None or answer.status != 201:
            return False
        target = answer.json()["upload"]
        fields = {**target["fields"], "file": (name, file.content, "text/csv")}
        urllib3.request("POST", target["url"], fields=fields, retries=False, timeout=ANSWER_SECONDS)
        return True

    def _begin_an_upload_that_never_comes(self) -> None:
        self._files += 1
        name = f"{self._files}.csv"
        headers = {"Content-Type": "application/json"}
        self._ask("POST", f"{IMPORT}/uploads", headers=headers, body=json.dumps({"filename": name}).encode())
        if (job := self._job_named(name, must_come=False)) is not None:
            self.jobs[name] = SoakJob(job["id"], None, None, (0, 0, 0))

    def _apply(self, name: str, file: SentFile, job: dict[str, Any], *, dropped: bool) -> None:
        """What the file must have done."""
        if job["status"] == "FAILED" and file.rows is not None and NOT_STORED in job["failureReason"]:
            expected, status = (0, 0, 0), "FAILED"
        elif file.rows is None:
            expected, status = (0, 0, 0), "FAILED"
            self.done["refused"] += 1
        else:
            user = "drop-folder" if dropped else "dev@example.com"
            after = import_rows(self.leads, file.rows, file.strategy, user=user, now=self._files)
            self.leads, counts = after.leads, after.counts
            expected, status = (counts.success, counts.error, counts.skipped), "COMPLETED"
            self.done["imported"] += 1
        self.jobs[name] = SoakJob(job["id"], name if dropped else None, status, expected)

    def _ended(self, id: int, file: StoredFile) -> dict[str, Any]:
        """The job once it is over for good: a fault of ours is sent through again."""
        began = last = time.monotonic()
        while time.monotonic() < began + GIVEN_UP:
            answer = self._ask("GET", f"{IMPORT}/history/{id}")
            if answer is not None and answer.status == 200:
                job: dict[str, Any] = answer.json()
                internal = job["status"] == "FAILED" and INTERNAL_ERROR in job["failureReason"]
                if job["status"] in OVER and (not internal or NOT_STORED in job["failureReason"]):
                    return job
                if internal or time.monotonic() > last + PATIENCE:
                    last = time.monotonic()
                    self._announce(file)
                    self.done["redriven"] += 1
                    continue
            time.sleep(0.1)
        raise AssertionError(f"import {id} has not ended in {GIVEN_UP:g} s")

    def _export(self) -> None:
        answer = self._ask("GET", f"{EXPORT}?columns={','.join(COLUMNS)}")
        if answer is None or answer.status != 303:
            self.done["exports without a file"] += 1
            return
        text = urllib3.request("GET", answer.headers["Location"], timeout=ANSWER_SECONDS).data.decode()
        rows = sorted(tuple(row) for row in list(csv.reader(io.StringIO(text, newline="")))[1:])
        if rows != sorted(tuple(cells(lead)) for lead in self.leads):
            raise AssertionError("an export differs from what was sent")
        self.done["exported"] += 1

    def _job_named(self, name: str, *, must_come: bool) -> dict[str, Any] | None:
        """The job of a file, if there is one, or once there is."""
        deadline = time.monotonic() + GIVEN_UP
        while time.monotonic() < deadline:
            answer = self._ask("GET", f"{IMPORT}/history?limit=20")
            if answer is not None and answer.status == 200:
                jobs: list[dict[str, Any]] = answer.json()
                found = [job for job in jobs if job["filename"] == name]
                if found or not must_come:
                    return found[0] if found else None
            time.sleep(0.1)
        raise AssertionError(f"nothing is known of {name} after {GIVEN_UP:g} s")

    def _version(self, key: str) -> str | None:
        listed = self._stack.s3.client.list_object_versions(Bucket=self._stack.bucket, Prefix=key)
        return next((one["VersionId"] for one in listed.get("Versions", [])), None)

    def _announce(self, file: StoredFile) -> None:
        event = json.dumps(s3_event(self._stack.bucket, file)).encode()
        self._stack.environments.invoke("ProcessImportFunction", event)

    def _ask(self, method: str, path: str, **arguments: Any) -> urllib3.BaseHTTPResponse | None:
        """The answer, or None when there was none."""
        try:
            return self.client.request(method, path, timeout=ANSWER_SECONDS, **arguments)
        except HTTPError:
            return None


def cells(lead: StoredLead) -> list[str]:
    """A lead as an export writes it, in the order of COLUMNS."""
    return ["" if getattr(lead, name) is None else str(getattr(lead, name)) for name in COLUMNS]
