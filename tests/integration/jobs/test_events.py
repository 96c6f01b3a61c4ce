"""Check that the function of each sample in `events/` accepts it, as `sam local invoke` sends it."""

import json
from pathlib import Path
from typing import Any

import pytest

from leads.s3.keys import parse_drop_key, parse_export_request_key, parse_upload_key
from tests.support.lambda_context import FakeLambdaContext
from tests.support.service import ROOT, Caller, Service

EVENTS = sorted((ROOT / "events").glob("*.json"))
STATUSES = {
    "import_leads_form": 202,
    "import_leads_bare": 202,
    "import_leads_text": 202,
    "import_leads_uploads": 201,
    "import_history_list": 200,
    "import_history_item": 404,
    "export_leads_redirect": 303,
    "export_leads_json": 200,
    "export_leads_async": 202,
    "export_leads_history": 200,
    "export_leads_item": 404,
}


def load(path: Path) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(path.read_text())
    return event


def send(service: Service, path: Path) -> Any:
    """Send a sample to its function and return the answer."""
    function = next(
        one.code.name for one in service.template.functions if path.stem.startswith(one.code.name)
    )
    event = load(path)
    if "requestContext" in event:
        event["requestContext"]["authorizer"]["jwt"]["claims"] |= Caller().claims
        if function == "import_leads":
            event["headers"]["prefer"] = "respond-async"
    return service.handler(function)(event, FakeLambdaContext(function))


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_handler_with_its_sample_event_succeeds(service: Service, path: Path) -> None:
    answer = send(service, path)
    if "requestContext" in load(path):
        assert answer["statusCode"] == STATUSES[path.stem], answer


def test_every_function_has_a_sample_event(service: Service) -> None:
    functions = {one.code.name for one in service.template.functions}
    assert {name for name in functions if any(path.stem.startswith(name) for path in EVENTS)} == functions


def test_sample_s3_events_name_keys_of_the_service() -> None:
    upload, drop, request = (
        load(ROOT / f"events/{name}.json")["Records"][0]["s3"]["object"]["key"]
        for name in ("process_import_upload", "process_import_drop", "process_export_request")
    )
    assert parse_export_request_key(request) is not None
    assert parse_upload_key(upload) is not None
    assert parse_drop_key(drop) is not None
