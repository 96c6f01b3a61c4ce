"""Kill a run at each moment of its work and deliver it again, and deliver one event twice at once.

The runs are in their own processes. A proxy before Postgres stops a run at the chosen moment.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from leads.s3.events import StoredFile
from tests.e2e.test_service import IMPORT, Client
from tests.support.fault_table import Seen
from tests.support.fragile_stack import FragileStack
from tests.support.service import s3_event
from tests.support.waiting import wait_until

CLAIM = b"pg_try_advisory_lock"
CHUNK = b"COPY staging"
ROWS = 12_000
"""Three chunks."""
CSV = b"name,phone,source\n" + b"".join(b"A,06%08d,web\n" % n for n in range(ROWS))
CREATE_NEW = f"{IMPORT}?mergeStrategy=CREATE_NEW"


def post(client: Client, content: bytes = CSV, route: str = CREATE_NEW) -> int:
    """Send a file without waiting, and return its job's id."""
    headers = {"Content-Type": "application/octet-stream", "Prefer": "respond-async"}
    answer = client.request("POST", route, headers=headers, body=content, timeout=30)
    assert answer.status == 202, answer.data
    return int(answer.json()["importJobId"])


def lead_count(stack: FragileStack, org: str) -> int:
    with stack.owner() as owner:
        return int(str(owner.query_value("SELECT count(*) FROM dossier WHERE org_id = :org", org=org)))


def attempts(stack: FragileStack, id: int) -> int:
    with stack.owner() as owner:
        return int(str(owner.query_value("SELECT attempts FROM import_job WHERE id = :id", id=id)))


def endings(stack: FragileStack, id: int) -> int:
    """Return how many runs of the job's event ended by themselves."""
    lines = (stack.logs / "process_import.log").read_text().splitlines()
    return sum('"import ended"' in line and f'"import_job_id":{id},' in line for line in lines)


@pytest.mark.parametrize(
    ("texts", "answer_lost", "attempts_made"),
    [
        pytest.param((CLAIM,), False, 1, marks=pytest.mark.fault("SIGKILL before the claim"), id="claim"),
        pytest.param((CHUNK,), False, 2, marks=pytest.mark.fault("SIGKILL in the first chunk"), id="first"),
        pytest.param((CHUNK,) * 3, False, 2, marks=pytest.mark.fault("SIGKILL in the last chunk"), id="last"),
        pytest.param(
            (b"status = 'COMPLETED'", b"COMMIT"),
            True,
            1,
            marks=pytest.mark.fault("SIGKILL between commit and answer"),
            id="commit",
        ),
    ],
)
def test_killed_run_is_redelivered_and_imports_each_lead_once(
    fragile: FragileStack, seen: Seen, texts: tuple[bytes, ...], answer_lost: bool, attempts_made: int
) -> None:
    client = Client(fragile)
    held = fragile.proxy.hold(*texts, forward=answer_lost)
    id = post(client)
    held.wait()
    assert lead_count(fragile, client.org) == (ROWS if answer_lost else 0)
    assert fragile.kill("ProcessImportFunction") >= 1
    started_at = time.monotonic()
    job = client.ended_job(id)
    seconds = time.monotonic() - started_at
    assert (job["status"], job["successCount"]) == ("COMPLETED", ROWS)
    wait_until(lambda: endings(fragile, id) == 1)
    assert lead_count(fragile, client.org) == ROWS
    assert attempts(fragile, id) == attempts_made
    assert seconds < 60
    seen(f"COMPLETED {seconds:.1f} s after the kill, {ROWS:,} leads, each once")


@pytest.mark.fault("the same event at the same instant in two processes")
def test_one_event_in_two_processes_runs_once(fragile: FragileStack, seen: Seen) -> None:
    client = Client(fragile)
    held = fragile.proxy.hold(CHUNK)
    id = post(client)
    held.wait()
    key = f"imports/{client.org}/{id}/upload.csv"
    version = fragile.s3.client.head_object(Bucket=fragile.bucket, Key=key)["VersionId"]
    event = json.dumps(s3_event(fragile.bucket, StoredFile(key, version))).encode()
    with ThreadPoolExecutor() as threads:
        others = [
            threads.submit(fragile.environments.invoke, "ProcessImportFunction", event) for _ in range(3)
        ]
        # All of these processes found the job locked, while its run stands still.
        with fragile.superuser() as superuser:
            wait_until(
                lambda: superuser.query_value(
                    "SELECT count(*) = 4 FROM pg_stat_activity WHERE application_name = 'process_import'"
                )
            )
        held.release()
        assert not any(other.result(90).failed for other in others)
    job = client.ended_job(id)
    assert (job["status"], job["successCount"]) == ("COMPLETED", ROWS)
    assert (lead_count(fragile, client.org), attempts(fragile, id)) == (ROWS, 1)
    seen("4 processes at once: 1 run, the others did nothing")


@pytest.mark.fault("the two events of one multipart upload")
def test_multipart_upload_announced_twice_is_one_job(fragile: FragileStack, seen: Seen) -> None:
    client = Client(fragile)
    s3, bucket, key = fragile.s3.client, fragile.bucket, f"drop/{client.org}/CREATE_NEW/a.csv"
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=CSV)
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]},
    )
    job = client.ended_job()
    assert (job["status"], job["successCount"]) == ("COMPLETED", ROWS)
    # moto announces it twice, as S3 does occasionally.
    wait_until(lambda: endings(fragile, job["id"]) == 2)
    assert len(client.request("GET", f"{IMPORT}/history").json()) == 1
    assert lead_count(fragile, client.org) == ROWS
    seen("2 events, 1 job, each lead once")
