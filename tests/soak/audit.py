"""What must be true of database and bucket when the soak is over."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from tests.e2e.test_service import IMPORT
from tests.soak.partner import COLUMNS, Partner, cells
from tests.support.fragile_stack import FragileStack

QUIET = 90.0
"""Seconds in which the last locks and sessions must go: the limits of dead connections, and some more."""

_LEADS = f"SELECT {', '.join(COLUMNS)} FROM dossier WHERE org_id = :org ORDER BY id"  # noqa: S608


def audit(stack: FragileStack, partners: Sequence[Partner]) -> list[str]:
    """What is not as it was sent, in words."""
    wrong = [line for partner in partners for line in _audit_partner(stack, partner)]
    return wrong + list(_left_over(stack))


def _audit_partner(stack: FragileStack, partner: Partner) -> Iterator[str]:
    org = partner.client.org
    with stack.owner() as owner:
        rows = owner.query(_LEADS, org=org)
        jobs = owner.query_dicts("SELECT * FROM import_job WHERE org_id = :org", org=org)
    stored = [["" if cell is None else str(cell) for cell in row] for row in rows]
    sent = [cells(lead) for lead in partner.leads]
    if stored != sent:
        place = next(
            (n for n, pair in enumerate(zip(stored, sent, strict=False)) if pair[0] != pair[1]), None
        )
        yield f"{org}: {len(stored)} leads instead of {len(sent)}; they differ from lead {place} on"
    if {job["filename"] for job in jobs} != set(partner.jobs) or len(jobs) != len(partner.jobs):
        yield f"{org}: {len(jobs)} jobs instead of {len(partner.jobs)}"
        return
    for job in jobs:
        yield from _audit_job(stack, partner, job)


def _audit_job(stack: FragileStack, partner: Partner, job: dict[str, Any]) -> Iterator[str]:
    expected = partner.jobs[job["filename"]]
    counts = (job["success_count"], job["error_count"], job["skipped_count"])
    about = f"{job['org_id']}: import {job['id']}"
    # A file that never came may be waited for still.
    statuses = (expected.status,) if expected.status else ("PENDING", "FAILED")
    if job["status"] not in statuses or counts != expected.counts:
        yield f"{about} is {job['status']} with {counts} instead of {statuses} with {expected.counts}"
    if (job["report_key"] is not None) != (sum(expected.counts[1:]) > 0):
        yield f"{about} has a report, or none, against its counts"
    if job["report_key"] is not None and not _there(stack, job["report_key"]):
        yield f"{about} has a report that is not there"
    result = f"drop-results/{job['org_id']}/{expected.dropped}.{job['id']}.json"
    if expected.dropped and not _there(stack, result):
        yield f"{about} has no result for who dropped it"
    if expected.status is not None:
        shown = _shown(partner, job["id"])
        if "successCount" not in shown:
            yield f"{about} is not shown: {shown}"
        elif (shown["successCount"], shown["errorCount"], shown["skippedCount"]) != expected.counts:
            yield f"{about} is shown with other counts"


def _shown(partner: Partner, id: int) -> dict[str, Any]:
    """Return a job as the API answers it, and ask again after an error: a part was broken a moment before."""
    deadline = time.monotonic() + QUIET
    while True:
        answer = partner.client.request("GET", f"{IMPORT}/history/{id}", timeout=30)
        if answer.status == 200 or time.monotonic() > deadline:
            return dict(answer.json())
        time.sleep(0.5)


def _there(stack: FragileStack, key: str) -> bool:
    listed = stack.s3.client.list_objects_v2(Bucket=stack.bucket, Prefix=key)
    return any(one["Key"] == key for one in listed.get("Contents", []))


def _left_over(stack: FragileStack) -> Iterator[str]:
    """Locks, transactions and parts that nobody will end."""
    deadline = time.monotonic() + QUIET
    left: Sequence[object] = ()
    with stack.superuser() as superuser:
        while time.monotonic() < deadline:
            left = superuser.query(
                "SELECT application_name, state, wait_event FROM pg_stat_activity "
                "WHERE usename = 'leads_app' AND application_name <> 'expire_jobs'"
            )
            if not left:
                break
            time.sleep(0.5)
    if left:
        yield f"sessions are left {QUIET:g} s after the end: {left}"
    uploads = stack.s3.client.list_multipart_uploads(Bucket=stack.bucket).get("Uploads", [])
    if uploads:
        yield f"{len(uploads)} multipart uploads are neither completed nor aborted"
