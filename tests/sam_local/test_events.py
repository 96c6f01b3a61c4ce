"""Check the whole answer to every sample of events/, with `sam build` and `sam local invoke`.

Only these invocations work on the stack: see conftest.py.
"""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.sam_local import Like, Positive, Sam
from tests.support.service import ROOT

EVENTS = sorted((ROOT / "events").glob("*.json"))

TIME = Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
S3 = r"http://laptop\.localhost:\d+/leads-laptop-123456789012-eu-west-3"
EXPORT_NAME = Like(r"leads_export_\d{8}_\d{6}\.csv")
EXPORT_LINK = Like(rf"{S3}/exports/acme/\d+/leads_export_\d{{8}}_\d{{6}}\.csv\?.*&X-Amz-Signature=[0-9a-f]+")
JSON: dict[str, object] = {"Content-Type": "application/json"}

PENDING_IMPORT = {
    "importJobId": Positive(),
    "status": "PENDING",
    "totalRows": 0,
    "successCount": 0,
    "errorCount": 0,
    "skippedCount": 0,
    "validationErrors": [],
    "validationErrorsTruncated": False,
    "reportUrl": None,
}
IMPORT_1 = {
    "id": 1,
    "filename": "leads.csv",
    "status": "COMPLETED",
    "mergeStrategy": "SKIP",
    "dryRun": False,
    "totalRows": 1,
    "successCount": 1,
    "errorCount": 0,
    "skippedCount": 0,
    "processedRows": 1,
    "ignoredColumns": [],
    "failureReason": None,
    "reportUrl": None,
    "createdAt": TIME,
    "createdBy": "dev@example.com",
    "startedAt": TIME,
    "finishedAt": TIME,
}
EXPORTED = {
    "id": Positive(),
    "status": "COMPLETED",
    "url": EXPORT_LINK,
    "filename": EXPORT_NAME,
    "rowCount": 1,
    "sizeBytes": Positive(),
    "expiresAt": TIME,
}
EXPORT_1 = {
    "id": 1,
    "status": "COMPLETED",
    "filename": EXPORT_NAME,
    "filters": {},
    "columns": [
        *("id", "name", "phone", "email", "source", "lead_source"),
        *("status", "score", "notes", "created_at", "updated_at"),
    ],
    "format": "csv",
    "gzip": False,
    "rowCount": 1,
    "sizeBytes": Positive(),
    "failureReason": None,
    "createdAt": TIME,
    "createdBy": "dev@example.com",
    "startedAt": TIME,
    "finishedAt": TIME,
}


class Http(NamedTuple):
    """Hold the answer to a request: its status, all its headers, its body."""

    function: str
    status: int
    headers: dict[str, object]
    body: object


class Direct(NamedTuple):
    """Hold the answer to any other event: the function's result, and some fields of a log line."""

    function: str
    answer: object
    message: str
    logged: dict[str, object]


def accepted_import(preference: str) -> Http:
    headers: dict[str, object] = {
        "Location": Like(r"/api/v1/leads/import/history/\d+"),
        "Retry-After": "1",
        "Preference-Applied": preference,
    }
    return Http("ImportLeadsFunction", 202, headers | JSON, PENDING_IMPORT)


NO_STORE: dict[str, object] = {"Cache-Control": "no-store"}
UPLOAD_LOCATION: dict[str, object] = {"Location": Like(r"/api/v1/leads/import/history/\d+")}
UPLOAD_FIELDS = {
    "key": Like(r"imports/acme/\d+/upload\.csv"),
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": Like(r"laptop/\d{8}/eu-west-3/s3/aws4_request"),
    "x-amz-date": Like(r"\d{8}T\d{6}Z"),
    "x-amz-security-token": "laptop",
    "policy": Like(r"[A-Za-z0-9+/]+=*"),
    "x-amz-signature": Like(r"[0-9a-f]{64}"),
}
UPLOAD = {
    "importJobId": Positive(),
    "upload": {"url": Like(S3), "fields": UPLOAD_FIELDS},
    "expiresAt": TIME,
}
PENDING_EXPORT = EXPORTED | {
    "status": "PENDING",
    "url": None,
    "rowCount": 0,
    "sizeBytes": 0,
    "expiresAt": None,
}
ACCEPTED_EXPORT: dict[str, object] = {
    "Location": Like(r"/api/v1/leads/export/\d+"),
    "Retry-After": "1",
    "Preference-Applied": "respond-async",
}

EXPECTED: dict[str, Http | Direct] = {
    "expire_jobs": Direct("ExpireJobsFunction", {}, "jobs expired", {"expired": {}, "faults": 0}),
    "export_leads_async": Http("ExportLeadsFunction", 202, ACCEPTED_EXPORT | NO_STORE | JSON, PENDING_EXPORT),
    "export_leads_history": Http("ExportLeadsFunction", 200, JSON, EXPORT_1),
    "export_leads_item": Http("ExportLeadsFunction", 200, NO_STORE | JSON, EXPORTED | {"id": 1}),
    "export_leads_json": Http("ExportLeadsFunction", 200, NO_STORE | JSON, EXPORTED),
    "export_leads_redirect": Http(
        "ExportLeadsFunction", 303, {"Location": EXPORT_LINK} | NO_STORE | JSON, EXPORTED
    ),
    "import_history_item": Http("ImportHistoryFunction", 200, JSON, IMPORT_1 | {"errorReport": ""}),
    "import_history_list": Http("ImportHistoryFunction", 200, JSON, IMPORT_1),
    "import_leads_bare": accepted_import("respond-async"),
    "import_leads_form": accepted_import("wait=5"),
    "import_leads_text": accepted_import("respond-async"),
    "import_leads_uploads": Http("ImportLeadsFunction", 201, UPLOAD_LOCATION | JSON, UPLOAD),
    "migrate_database_by_hand": Direct(
        "MigrateDatabaseFunction", {"applied": []}, "migrations applied", {"applied": []}
    ),
    # These events are of ended jobs or of a missing file. test_stored_files.py has the others.
    "process_export_request": Direct(
        "ProcessExportFunction", None, "export ended", {"export_job_id": 1, "outcome": "IGNORED"}
    ),
    "process_import_drop": Direct(
        "ProcessImportFunction", None, "import ended", {"import_job_id": Positive(), "outcome": "FILE_GONE"}
    ),
    "process_import_upload": Direct(
        "ProcessImportFunction", None, "import ended", {"import_job_id": 1, "outcome": "IGNORED"}
    ),
}


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_sample_event_has_the_expected_answer(sam: Sam, path: Path) -> None:
    assert path.stem in EXPECTED, "EXPECTED has no answer for it"
    expected = EXPECTED[path.stem]

    invoked = sam.invoke(expected.function, path)

    if isinstance(expected, Http):
        body = invoked.body
        if isinstance(body, list):
            body = body[-1]  # The oldest of the list: other tests have jobs, too.
        assert (invoked.answer["statusCode"], body) == (expected.status, expected.body)
        assert invoked.answer["headers"] == expected.headers
    else:
        assert invoked.answer == expected.answer
        line: dict[str, Any] = invoked.logged(expected.message)
        assert {name: line[name] for name in expected.logged} == expected.logged


def test_expected_answers_are_those_of_the_samples() -> None:
    assert EXPECTED.keys() == {path.stem for path in EVENTS}
