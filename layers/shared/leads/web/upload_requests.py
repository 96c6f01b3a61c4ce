"""Read the JSON body of POST /api/v1/leads/import/uploads: the file's name and the import's options."""

from typing import Final, NotRequired, TypedDict

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic_core import SchemaValidator, ValidationError
from pydantic_core.core_schema import (
    bool_schema,
    enum_schema,
    no_info_before_validator_function,
    str_schema,
    typed_dict_field,
    typed_dict_schema,
)

from leads.domain.filename import FILENAME_LENGTH, clean_filename
from leads.domain.import_job import ImportOrder
from leads.domain.merge_strategy import MergeStrategy
from leads.errors import FieldError, InvalidRequest
from leads.web.import_requests import request_body
from leads.web.parameters import read_idempotency_key, refuse_unknown


class _Request(TypedDict):
    filename: str
    mergeStrategy: NotRequired[MergeStrategy]
    dryRun: NotRequired[bool]


def _in_any_case(value: object) -> object:
    return value.upper() if isinstance(value, str) and value.isascii() else value


_REQUEST: Final = SchemaValidator(
    typed_dict_schema(
        {
            "filename": typed_dict_field(str_schema(min_length=1, max_length=FILENAME_LENGTH)),
            "mergeStrategy": typed_dict_field(
                no_info_before_validator_function(
                    _in_any_case, enum_schema(MergeStrategy, list(MergeStrategy), sub_type="str")
                ),
                required=False,
            ),
            "dryRun": typed_dict_field(bool_schema(strict=True), required=False),
        },
        extra_behavior="forbid",
    )
)
"""A schema of pydantic_core: pydantic's models would take a fifth of a cold start."""

_FIELDS: Final = {
    "filename": f"filename must be a text of 1 to {FILENAME_LENGTH} characters.",
    "mergeStrategy": f"Invalid mergeStrategy value. Allowed: {', '.join(MergeStrategy)}",
    "dryRun": "Invalid dryRun value. Allowed: true, false",
}


def read_upload_request(event: APIGatewayProxyEventV2) -> ImportOrder:
    """Return the file's name and options from the JSON body. Raises InvalidRequest."""
    key = read_idempotency_key(event.headers)
    query = dict(event.query_string_parameters)
    if misplaced := _FIELDS.keys() & query:
        # POST /import accepts them in the query.
        raise InvalidRequest.of(
            [
                FieldError(name, f"{name} must be in the JSON body, not in the query.")
                for name in sorted(misplaced)
            ]
        )
    refuse_unknown(query, ())
    try:
        request: _Request = _REQUEST.validate_json(request_body(event))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidRequest.of([_fault(fault["type"], fault["loc"]) for fault in faults]) from None
    return ImportOrder(
        filename=clean_filename(request["filename"]),
        merge_strategy=request.get("mergeStrategy", MergeStrategy.SKIP),
        dry_run=request.get("dryRun", False),
        key=key,
    )


def _fault(kind: str, location: tuple[int | str, ...]) -> FieldError:
    """Translate a fault that pydantic_core found into the wording of the other routes."""
    if not location:
        return FieldError("body", 'The body must be JSON such as {"filename": "leads.csv"}.')
    field = str(location[0])[:100]
    if kind == "missing":
        return FieldError(field, f"{field} is required.")
    if kind == "extra_forbidden":
        return FieldError(field, f"Unknown parameter: {field}. Allowed: {', '.join(_FIELDS)}")
    return FieldError(field, _FIELDS[field])
