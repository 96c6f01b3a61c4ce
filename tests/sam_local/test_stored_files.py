"""Check the events of stored files, with their versions as S3 sends them, with `sam local invoke`."""

import json
from pathlib import Path
from typing import Any

from leads.s3.events import StoredFile
from tests.support.sam_local import ORG, Invoked, Sam
from tests.support.service import ROOT, s3_event

DROPPED = "name,phone,source,notes\nÉlodie Martin,+33612345678,web,rappeler lundi\n"


def announce(sam: Sam, function: str, key: str, folder: Path) -> Invoked:
    """Invoke a function with the event of a stored object."""
    version = sam.stack.s3.client.head_object(Bucket=sam.stack.bucket, Key=key)["VersionId"]
    event = folder / "event.json"
    event.write_text(json.dumps(s3_event(sam.stack.bucket, StoredFile(key, version))))
    return sam.invoke(function, event)


def content(sam: Sam, prefix: str) -> str:
    """Return the text of the one object under this prefix."""
    client, bucket = sam.stack.s3.client, sam.stack.bucket
    (found,) = client.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    return client.get_object(Bucket=bucket, Key=found["Key"])["Body"].read().decode()


def outcome(line: dict[str, Any], *names: str) -> list[object]:
    return [line[name] for name in ("outcome", *names)]


def test_process_import_reads_a_file_that_import_leads_stored(sam: Sam, tmp_path: Path) -> None:
    stored = sam.invoke("ImportLeadsFunction", ROOT / "events/import_leads_bare.json")
    job = stored.body["importJobId"]

    invoked = announce(sam, "ProcessImportFunction", f"imports/{ORG}/{job}/upload.csv", tmp_path)

    line = invoked.logged("import ended")
    assert line["import_job_id"] == job
    assert outcome(line, "success", "error", "skipped") == ["COMPLETED", 0, 1, 1]
    _, *report = content(sam, f"reports/{ORG}/{job}/").splitlines()
    assert [row.split(",")[:2] for row in report] == [["2", "duplicate"], ["3", "error"]]


def test_dropped_file_is_imported_and_has_a_result(sam: Sam, tmp_path: Path) -> None:
    key = f"drop/{ORG}/OVERWRITE/fichier du lundi.csv"
    sam.stack.s3.client.put_object(Bucket=sam.stack.bucket, Key=key, Body=DROPPED.encode())

    invoked = announce(sam, "ProcessImportFunction", key, tmp_path)

    line = invoked.logged("import ended")
    assert outcome(line, "success", "error", "skipped") == ["COMPLETED", 1, 0, 0]
    result = json.loads(content(sam, f"drop-results/{ORG}/fichier du lundi.csv.{line['import_job_id']}."))
    assert (result["status"], result["createdBy"]) == ("COMPLETED", "drop-folder")


def test_process_export_completes_what_export_leads_handed_over(sam: Sam, tmp_path: Path) -> None:
    ordered = sam.invoke("ExportLeadsFunction", ROOT / "events/export_leads_async.json")
    export = ordered.body["id"]

    invoked = announce(sam, "ProcessExportFunction", f"export-requests/{ORG}/{export}.json", tmp_path)

    line = invoked.logged("export ended")
    assert line["export_job_id"] == export
    assert outcome(line, "rows") == ["COMPLETED", 1]
    assert ",Élodie Martin," in content(sam, f"exports/{ORG}/{export}/")
