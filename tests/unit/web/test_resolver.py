"""Map errors to problem documents, which never contain internal details."""

import json
from http import HTTPStatus
from typing import Any

import pytest

from leads.domain.failure_code import FailureCode
from leads.errors import (
    DatabaseFault,
    FieldError,
    FileTooLarge,
    Forbidden,
    InvalidFile,
    InvalidRequest,
    LeadsError,
    MissingSettings,
    NotFound,
    ServiceFault,
    Unauthenticated,
    UnsupportedMediaType,
)
from leads.web import resolver
from leads.web.resolver import create_resolver, json_response, problem_response
from tests.support.lambda_context import FakeLambdaContext
from tests.unit.web.events import raw_event

INTERNAL_ERROR = "An internal error occurred. Try again; if it persists, contact support with the requestId."
PRIVATE = "INSERT INTO dossier VALUES ('Ana', '0612345678')"


class LogThatIsRead:
    """A logger that records its entries."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any]]] = []

    def error(self, message: str, **members: Any) -> None:
        self.entries.append((message, members))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> LogThatIsRead:
    log = LogThatIsRead()
    monkeypatch.setattr(resolver, "logger", log)
    return log


def answer_to(error: Exception | None, path: str = "/fails") -> dict[str, Any]:
    app = create_resolver()

    @app.get("/fails")
    def fail() -> Any:
        if error is not None:
            raise error
        return problem_response(app, HTTPStatus.BAD_REQUEST, "Row 5: …", importJobId=7)

    @app.get("/works")
    def work() -> Any:
        return json_response(HTTPStatus.ACCEPTED, '{"a": 1}', {"Retry-After": "1"})

    event = raw_event(route=f"GET {path}")
    answered: dict[str, Any] = app.resolve(event, FakeLambdaContext("import_leads"))  # type: ignore[arg-type]
    return answered


def content_type(answered: dict[str, Any]) -> str:
    headers = {name.lower(): value for name, value in answered["headers"].items()}
    return str(headers["content-type"])


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (InvalidRequest("no"), 400, "Bad Request"),
        (Unauthenticated("no"), 401, "Unauthorized"),
        (Forbidden("no"), 403, "Forbidden"),
        (NotFound("no"), 404, "Not Found"),
        (FileTooLarge("no"), 413, "Request Entity Too Large"),
        (UnsupportedMediaType("no"), 415, "Unsupported Media Type"),
    ],
)
def test_caller_error_is_a_problem_document(
    error: LeadsError, status: int, title: str, log: LogThatIsRead
) -> None:
    answered = answer_to(error)
    assert answered["statusCode"] == status
    assert content_type(answered) == "application/problem+json"
    assert json.loads(answered["body"]) == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": "no",
        "requestId": "request-1",
    }
    assert log.entries == []


def test_invalid_request_lists_faults_by_field() -> None:
    body = json.loads(
        answer_to(InvalidRequest.of([FieldError("limit", "é"), FieldError("page", "b")]))["body"]
    )
    assert body["detail"] == "é; b"
    assert body["errors"] == [{"field": "limit", "message": "é"}, {"field": "page", "message": "b"}]


@pytest.mark.parametrize(
    "error",
    [
        DatabaseFault("23505", PRIVATE),
        ServiceFault(PRIVATE),
        MissingSettings([PRIVATE]),
        InvalidFile(FailureCode.INVALID_CSV, PRIVATE),
        RuntimeError(PRIVATE),
        KeyError(PRIVATE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_internal_error_is_a_500_without_details(error: Exception, log: LogThatIsRead) -> None:
    answered = answer_to(error)
    body = json.loads(answered["body"])
    assert (answered["statusCode"], body["detail"], body["requestId"]) == (500, INTERNAL_ERROR, "request-1")
    assert PRIVATE not in answered["body"]
    assert len(log.entries) == 1


def test_unexpected_error_is_logged_without_its_message(
    log: LogThatIsRead,
) -> None:
    answer_to(RuntimeError(PRIVATE))
    ((message, members),) = log.entries
    assert (message, members["error"]) == ("unexpected error", "RuntimeError")
    assert "test_resolver.py" in str(members["stack"])
    assert PRIVATE not in str(members)


def test_unknown_route_is_404_and_not_logged(log: LogThatIsRead) -> None:
    answered = answer_to(None, "/nowhere")
    assert answered["statusCode"] == json.loads(answered["body"])["status"] == 404
    assert content_type(answered) == "application/problem+json"
    assert log.entries == []


def test_problem_document_has_extension_members() -> None:
    body = json.loads(answer_to(None)["body"])
    assert (body["status"], body["detail"], body["importJobId"]) == (400, "Row 5: …", 7)
    assert "errors" not in body


def test_json_response_has_body_and_headers() -> None:
    answered = answer_to(None, "/works")
    assert (answered["statusCode"], answered["body"]) == (202, '{"a": 1}')
    assert content_type(answered) == "application/json"
    assert answered["headers"]["Retry-After"] == "1"
