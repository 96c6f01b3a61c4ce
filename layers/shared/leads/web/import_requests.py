"""Read POST /api/v1/leads/import: a file, as a form field or as the whole body, and its options."""

import base64
import binascii
import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from multipart import MultipartError, MultipartParser, parse_content_disposition, parse_options_header

from leads.domain.filename import clean_filename
from leads.domain.import_job import ImportOrder, ImportRequest
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import FieldError, FileTooLarge, InvalidRequest, UnsupportedMediaType
from leads.web.parameters import read_choice, read_flag, read_idempotency_key, refuse_unknown

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""Largest file in a request. Clients of the API rely on it.

base64 makes 5.6 MB of it, and Lambda accepts events of 6 MB; headers and claims need the rest. Above about
4.5 MB the gateway refuses the request itself, without advice. Below, more files need the uploads route.
"""

_OPTIONS: Final = ("mergeStrategy", "dryRun", "filename")
_FORM: Final = ("file", *_OPTIONS)
_BARE_TYPES: Final = (
    "application/octet-stream",
    "text/csv",
    "text/plain",
    "application/csv",
    # Browsers on a Windows machine with Excel send a CSV file with this type.
    "application/vnd.ms-excel",
)
_UPLOADS_ROUTE: Final = "/api/v1/leads/import/uploads"

_REPLACEMENT: Final = "\ufffd"
"""The gateway puts this character where a text body is not UTF-8."""


def read_import_request(event: APIGatewayProxyEventV2) -> ImportRequest:
    """Return the file and its options, from a form or a bare body.

    Raises:
        InvalidRequest: A parameter is invalid, or the body cannot be read.
        FileTooLarge: The file has more than MAX_FILE_BYTES.
        UnsupportedMediaType: The Content-Type is neither a form nor a type of file.
    """
    key = read_idempotency_key(event.headers)
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
                "The file is not UTF-8, and some of its characters were lost because it was sent as text. "
                "Nothing was imported. "
                "Send it with Content-Type: application/octet-stream, or as multipart/form-data."
            )
        sent_name = _disposition_filename(_header(event, "content-disposition"))
    else:
        raise UnsupportedMediaType(
            "The Content-Type is not supported. "
            "Send the file as multipart/form-data with a field named file, "
            f"or as the whole body with one of these types: {', '.join(_BARE_TYPES)}."
        )
    if len(content) > MAX_FILE_BYTES:
        raise FileTooLarge(
            f"The file has {len(content):,} bytes; a request may have {MAX_FILE_BYTES:,}. "
            f"Nothing was imported; send the file through POST {_UPLOADS_ROUTE}."
        )
    order = _order(sent_name, query, form)
    return ImportRequest(replace(order, key=key), content)


def _header(event: APIGatewayProxyEventV2, name: str) -> str:
    return event.headers.get(name) or ""


def request_body(event: APIGatewayProxyEventV2) -> bytes:
    """Return the body as the client sent it. Raises InvalidRequest."""
    body = event.body or ""
    if not event.is_base64_encoded:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise InvalidRequest("The request body was damaged on its way. Send the request again.") from error


def _read_form(body: bytes, boundary: str) -> tuple[bytes, str, dict[str, str]]:
    """Return the file's bytes and name, and the other fields."""
    if not boundary:
        raise InvalidRequest(
            "The Content-Type multipart/form-data has no boundary. Let your HTTP client set this header."
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
                raise InvalidRequest.of([FieldError(name, f"The form has {name} twice. Send it once.")])
            if name == "file":
                content, filename = part.raw, part.filename or ""
            else:
                fields[name] = part.value.strip()
    except (MultipartError, UnicodeError, LookupError) as error:  # LookupError: an unknown charset
        raise InvalidRequest(
            "The form cannot be read: the body is not complete multipart/form-data. Send the request again."
        ) from error
    if content is None:
        raise InvalidRequest.of(
            [FieldError("file", "The form has no file. Send it in the field named file.")]
        )
    return content, filename, fields


def _disposition_filename(header: str) -> str:
    try:
        return (parse_content_disposition(header)[2] or "") if header else ""
    except ValueError:
        return ""


def _order(sent_name: str, query: Mapping[str, str], form: Mapping[str, str]) -> ImportOrder:
    options: dict[str, str] = {}
    for name in _OPTIONS:
        values = {source[name] for source in (query, form) if name in source}
        if len(values) > 1:
            message = f"{name} differs between the query and the form. Send it in one of them."
            raise InvalidRequest.of([FieldError(name, message)])
        if values:
            options[name] = values.pop()
    strategy = MergeStrategy.SKIP
    if "mergeStrategy" in options:
        strategy = read_choice(MergeStrategy, "mergeStrategy", options["mergeStrategy"])
    dry_run = read_flag("dryRun", options["dryRun"]) if "dryRun" in options else False
    return ImportOrder(clean_filename(options.get("filename") or sent_name), strategy, dry_run)
