"""Check that each function is granted the AWS calls that it makes, and no others.

tests/conftest.py checks after every test of the functions that each call is granted.
This module checks that each grant is used, so it runs each function through all its paths.
These are success in one part and in several, and every deletion and result after a fault.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from leads.errors import DatabaseFault, ServiceFault
from leads.import_engine import import_file
from leads.s3.bucket import Bucket
from leads.s3.keys import DROP, IMPORTS
from leads.s3.multipart_writer import PART_SIZE
from local.aws.s3 import ACCOUNT_ID, REGION
from tests.integration.imports.test_import_leads import announce_when_stored
from tests.integration.jobs.test_events import EVENTS, send
from tests.support.aws_calls import UNKNOWN, Call
from tests.support.deployed import CLUSTER, STACK, deployed, policies
from tests.support.expiry import (
    CSV,
    EVENT_GONE,
    IMPORT,
    UPLOAD_GONE,
    dropped,
    how_it_ended,
    invoke_expire_jobs,
    make_past,
    upload,
)
from tests.support.exports import ROUTE, announce_export, asked, lose_commits, store_many, wait_until_free
from tests.support.hostile_s3 import BucketThatHidesWhatIsGone, ClientThatFailsOn
from tests.support.iam_policy import grants, matches
from tests.support.imports import posted, uploaded
from tests.support.key_prefixes import KEY_PREFIXES
from tests.support.service import Caller, Service

GRANTED = [
    (function, action, resource)
    for function, statements in policies(deployed()).items()
    for action, resource in grants(statements)
]

BUCKET = f"arn:aws:s3:::{STACK}-{ACCOUNT_ID}-{REGION}"
FOLDERS = {f"{BUCKET}/{prefix}*" for prefix in KEY_PREFIXES}
ROLES = f"arn:aws:rds-db:{REGION}:{ACCOUNT_ID}:dbuser:{CLUSTER}/"

LISTINGS = {"s3:ListBucket", "s3:ListBucketVersions"}
"""Actions granted on the bucket, with a condition that limits them to some folders."""

FAULTY = "name,phone,source,blob\nAna,1,web,\nBob,1,web,\n,2,web,\n"
ROWS = PART_SIZE // 1000 + 500
"""Rows of a thousand characters each, which make a file of two parts."""


@pytest.fixture(scope="module")
def calls(service: Service) -> list[Call]:
    """Return the AWS calls of the functions on all their paths."""
    mark = service.aws_calls.mark
    for path in EVENTS:
        send(service, path)
    drive_imports(service)
    drive_exports(service)
    drive_expiry(service)
    return service.aws_calls.since(mark)


def drive_imports(service: Service) -> None:
    caller = Caller()
    stored = announce_when_stored(service, caller)
    headers = {"Content-Type": "application/octet-stream"}
    answer = service.request(
        "POST", "/api/v1/leads/import", caller, headers=headers, body=FAULTY.encode()
    ).json
    stored.join()
    assert answer["reportUrl"], answer
    assert service.job(caller, answer["importJobId"])["reportUrl"], answer
    service.announce(service.put(f"drop/{caller.org}/x.csv", FAULTY.encode()))

    # The reader refuses the file after a part of its report is uploaded and rows are merged.
    rows = f",2,web,{'x' * 1200}\n" * 2 * ROWS
    service.announce(uploaded(service, caller, f'{FAULTY}{rows}Cy,3,web,"open\n'.encode()))

    # S3 denies access to a deleted version, so process_import lists the versions.
    gone = service.put(f"drop/{caller.org}/gone.csv", FAULTY.encode())
    service.s3.client.delete_object(Bucket=service.bucket, Key=gone.key, VersionId=gone.version)
    with pytest.MonkeyPatch.context() as patched:
        hiding = BucketThatHidesWhatIsGone(service.bucket_of("process_import"))
        patched.setattr(service.module("process_import"), "bucket", hiding)
        service.announce(gone)

    # The report is stored, but its job cannot be completed.
    file = posted(service, caller, FAULTY)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(import_file, "complete_import_job", refuse)
        service.announce(file)


def drive_expiry(service: Service) -> None:
    caller = Caller()
    _, file = dropped(service, caller, CSV)
    make_past(service, IMPORT, file, created_at=EVENT_GONE)
    make_past(service, IMPORT, upload(service, caller), created_at=UPLOAD_GONE + 1)
    invoke_expire_jobs(service)
    assert how_it_ended(service, IMPORT, file)[0] == "FAILED"


def refuse(*_: object) -> None:
    raise DatabaseFault("42501")


def drive_exports(service: Service) -> None:
    caller = Caller()
    store_many(service, caller, ROWS)
    assert service.request("GET", ROUTE, caller).status == 303
    announce_export(service, asked(service, caller))

    request = asked(service, caller)
    with s3_that_completes_nothing(service, "export_leads"):
        assert service.request("GET", ROUTE, caller).status == 500
    with s3_that_completes_nothing(service, "process_export"), pytest.raises(ServiceFault):
        announce_export(service, request)
    wait_until_free(service, request)

    # The file is stored, but its COMMIT fails.
    with pytest.MonkeyPatch.context() as patched:
        lose_commits(patched, kept=False)
        assert service.request("GET", ROUTE, caller).status == 500
        with pytest.raises(ServiceFault):
            announce_export(service, request)


@contextmanager
def s3_that_completes_nothing(service: Service, function: str) -> Iterator[None]:
    own = service.bucket_of(function)
    client = ClientThatFailsOn(own.client, "complete_multipart_upload", prefix="exports/")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(service.module(function), "bucket", Bucket(client, own.name))  # type: ignore[arg-type]
        yield
    assert client.failed.is_set(), "the file had one part, so this proves nothing"


@pytest.mark.parametrize(("function", "action", "resource"), GRANTED)
def test_grant_of_a_function_is_used(calls: list[Call], function: str, action: str, resource: str) -> None:
    used = [
        call
        for call in calls
        if call.function == function and call.action == action and matches(resource, call.resource)
    ]
    assert used, f"{function} may {action} on {resource} and never does; all its paths are driven above"


@pytest.mark.parametrize(("function", "action", "resource"), GRANTED)
def test_grant_allows_one_action_in_one_folder_or_one_role(function: str, action: str, resource: str) -> None:
    assert "*" not in action
    assert "?" not in action
    if action in LISTINGS:
        assert resource == BUCKET
    elif action == "rds-db:connect":
        assert resource in (f"{ROLES}leads_app", f"{ROLES}leads_owner")
    else:
        assert resource in FOLDERS


def test_every_function_was_invoked(service: Service, calls: list[Call]) -> None:
    assert {call.function for call in calls} == {one.code.name for one in service.template.functions}


def test_call_that_is_not_granted_is_recorded(service: Service, caller: Caller) -> None:
    """Without this check, a recorder that records nothing would pass every test."""
    key = f"imports/{caller.org}/1/upload.csv"
    bucket = service.bucket_of("import_history")
    bucket.presigned_download(f"reports/{caller.org}/1/x.csv", "x.csv")
    assert service.aws_calls.refused() == []

    version = bucket.put(key, b"", "text/csv")
    bucket.presigned_download(key, "x.csv")
    bucket.presigned_post(key)
    bucket.open(key, version).close()
    bucket.delete_version(key, version)
    bucket.client.put_object(Bucket=bucket.name, Key=f"reports/{caller.org}/x", ACL="public-read")
    bucket.client.list_buckets()
    refused = service.aws_calls.refused()

    object_ = f"{BUCKET}/{key}"
    report = f"{BUCKET}/reports/{caller.org}/x"
    assert [(call.function, call.operation, call.action, call.resource) for call in refused] == [
        ("import_history", operation, action, resource)
        for operation, action, resource in [
            ("S3 PutObject", "s3:PutObject", object_),
            ("S3 GetObject", "s3:GetObject", object_),
            ("S3 signed form", "s3:PutObject", object_),
            ("S3 GetObject", "s3:GetObjectVersion", object_),
            ("S3 DeleteObject", "s3:DeleteObjectVersion", object_),
            ("S3 PutObject", "s3:PutObject", report),
            ("S3 PutObject", "s3:PutObjectAcl", report),
            ("S3 ListBuckets", UNKNOWN, "arn:aws:s3:::None"),
        ]
    ]


def test_expire_jobs_may_list_uploads_only(service: Service, caller: Caller) -> None:
    bucket = service.bucket_of("expire_jobs")
    bucket.stored_at(f"imports/{caller.org}/1/upload.csv")
    assert service.aws_calls.refused() == []
    bucket.stored_at(f"exports/{caller.org}/1/leads.csv")
    (refused,) = service.aws_calls.refused()
    assert refused.action == "s3:ListBucket"


@pytest.mark.parametrize("folder", sorted(KEY_PREFIXES))
def test_process_import_may_list_versions_of_files_only(
    service: Service, caller: Caller, folder: str
) -> None:
    bucket = BucketThatHidesWhatIsGone(service.bucket_of("process_import"))
    with pytest.raises(FileNotFoundError):
        bucket.open(f"{folder}{caller.org}/1/x.csv", "gone")
    refused = [call.action for call in service.aws_calls.refused()]
    assert refused == ([] if folder in (IMPORTS, DROP) else ["s3:GetObjectVersion", "s3:ListBucketVersions"])


def test_listing_is_granted_for_named_folders_only() -> None:
    for statements in policies(deployed()).values():
        for statement in statements:
            if LISTINGS & {action for action, _ in grants([statement])}:
                folders = statement["Condition"]["StringLike"]["s3:prefix"]
                several = [folders] if isinstance(folders, str) else folders
                assert {f"{BUCKET}/{one}" for one in several} <= FOLDERS


def test_login_as_another_role_is_recorded(service: Service) -> None:
    import_history, owner = service.module("import_history"), service.module("migrate_database")
    with service.aws_calls.database("import_history", owner.database).connect():
        pass
    (refused,) = service.aws_calls.refused()
    assert (refused.action, refused.resource) == ("rds-db:connect", f"{ROLES}leads_owner")
    with import_history.database.connect():
        assert service.aws_calls.refused() == []
