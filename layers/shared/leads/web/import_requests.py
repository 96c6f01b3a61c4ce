"""What POST /api/v1/leads/import is asked: a file, as a form or bare, and what to do with it."""

import base64
import binascii
import io
from collections.abc import Mapping
from typing import Final

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from multipart import MultipartError, MultipartParser, parse_content_disposition, parse_options_header

from leads.domain.filename import clean_filename
from leads.domain.import_job import ImportOrder, ImportRequest
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import FieldError, FileTooLarge, InvalidRequest, UnsupportedMediaType
from leads.web.parameters import choice, flag, idempotency_key, refuse_unknown

FILE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a file sent in a request. Lambda takes events of 6 MB, in which base64 makes 4 bytes of 3; the
rest is for headers and claims (our API).
"""

_OPTIONS: Final = ("mergeStrategy", "dryRun", "filename")
_FORM: Final = ("file", *_OPTIONS)
_BARE_TYPES: Final = (
    "application/octet-stream",
    "text/csv",
    "text/plain",
    "application/csv",
    # What browsers on a Windows machine with Excel call a CSV file.
    "application/vnd.ms-excel",
)
_UPLOADS_ROUTE: Final = "/api/v1/leads/import/uploads"
_REPLACEMENT: Final = "\ufffd"


def read_import_request(event: APIGatewayProxyEventV2) -> ImportRequest:
    """Reads a form or a bare file.

    Raises InvalidRequest, FileTooLarge, UnsupportedMediaType.
    """
    key = idempotency_key(event.headers)
    query = dict(event.query_string_parameters)
    refuse_unknown(query, _OPTIONS)
    media_type, options = parse_options_header(_header(event, "content-type"))
    media_type = media_type.lower()
    form: dict[str, str] = {}
    if media_type == "multipart/form-data":
        content, sent_name, form = _read_form(request_body(event), options.get("boundary", ""))
    elif media_type in _BARE_TYPES:
        content = request_body(event)
        if not event.is_base64_encoded and _REPLACEMENT in (event.body or ""):
            raise InvalidRequest(
                "The file is not UTF-8, and as text/* it reaches us with those characters destroyed. "
                "Send it with Content-Type: application/octet-stream, or as multipart/form-data."
            )
        sent_name = _disposition_filename(_header(event, "content-disposition"))
    else:
        raise UnsupportedMediaType(
            "Send the file as multipart/form-data with a field named file, "
            f"or bare with one of these as its Content-Type: {', '.join(_BARE_TYPES)}."
        )
    if len(content) > FILE_LIMIT:
        raise FileTooLarge(
            f"The file has {len(content):,} bytes; a request may carry {FILE_LIMIT:,}. "
            f"Larger files go through POST {_UPLOADS_ROUTE}."
        )
    return ImportRequest(_order(sent_name, query, form), content, key)


def _header(event: APIGatewayProxyEventV2, name: str) -> str:
    return event.headers.get(name) or ""


def request_body(event: APIGatewayProxyEventV2) -> bytes:
    """The bytes that were sent. Raises InvalidRequest."""
    body = event.body or ""
    if not event.is_base64_encoded:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise InvalidRequest("The request's body is broken. Send it again.") from error


def _read_form(body: bytes, boundary: str) -> tuple[bytes, str, dict[str, str]]:
    """The file's bytes and name, and the other fields."""
    if not boundary:
        raise InvalidRequest(
            "The Content-Type multipart/form-data lacks its boundary. Let your client set the header."
        )
    content: bytes | None = None
    filename = ""
    fields: dict[str, str] = {}
    try:
        for part in MultipartParser(
            io.BytesIO(body), boundary, spool_limit=len(body), memory_limit=len(body) + 1
        ):
            name = part.name or ""
            if name not in _FORM:
                refuse_unknown([name], _FORM)
            if name in fields or (name == "file" and content is not None):
                raise InvalidRequest.of([FieldError(name, f"Send {name} once.")])
            if name == "file":
                content, filename = part.raw, part.filename or ""
            else:
                fields[name] = part.value.strip()
    except (MultipartError, UnicodeError, LookupError) as error:  # LookupError: a charset that is none
        raise InvalidRequest(
            "The form cannot be read: the body is no complete multipart/form-data. Send it again."
        ) from error
    if content is None:
        raise InvalidRequest.of([FieldError("file", "No file: send it as the form field named file.")])
    return content, filename, fields


def _disposition_filename(header: str) -> str:
    try:
        return (parse_content_disposition(header)[2] or "") if header else ""
    except ValueError:
        return ""


def _order(sent_name: str, query: Mapping[str, str], form: Mapping[str, str]) -> ImportOrder:
    options: dict[str, str] = {}
    for name in _OPTIONS:
        given = {source[name] for source in (query, form) if name in source}
        if len(given) > 1:
            raise InvalidRequest.of([FieldError(name, f"{name} differs between the query and the form.")])
        if given:
            options[name] = given.pop()
    strategy = MergeStrategy.SKIP
    if "mergeStrategy" in options:
        strategy = choice(MergeStrategy, "mergeStrategy", options["mergeStrategy"])
    dry_run = flag("dryRun", options["dryRun"]) if "dryRun" in options else False
    return ImportOrder(clean_filename(options.get("filename") or sent_name), strategy, dry_run)
