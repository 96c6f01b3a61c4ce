"""Build and parse the keys of the bucket.

imports/{org}/{job}/upload.csv            an upload, of one job
drop/{org}/[{STRATEGY}/]{name}.csv[.gz]   the file of a partner; each put is a job
drop-results/{org}/{name}.{job}.json      the result of a partner's file
reports/{org}/{job}/not_imported.csv      the rows that a job did not import
exports/{org}/{export}/{filename}         the file of an export
export-requests/{org}/{export}.json       an export that takes too long for one answer
"""

import re
from dataclasses import dataclass
from typing import Final

from leads.domain.filename import clean_filename
from leads.domain.merge_strategy import MergeStrategy
from leads.domain.principal import is_org_id

IMPORTS: Final = "imports/"
DROP: Final = "drop/"
EXPORT_REQUESTS: Final = "export-requests/"

_LARGEST_ID: Final = 2**63 - 1
"""The largest bigint of Postgres, the type of a job's id."""

_RESULT_NAME_LENGTH: Final = 200
"""Characters of a file name in the key of its result. S3 allows 1,024 bytes, four for a character."""

_UPLOAD: Final = re.compile(rf"{IMPORTS}([^/]+)/([1-9][0-9]{{0,18}})/upload\.csv", re.ASCII)
_EXPORT_REQUEST: Final = re.compile(rf"{EXPORT_REQUESTS}([^/]+)/([1-9][0-9]{{0,18}})\.json", re.ASCII)


def import_key(org_id: str, job_id: int) -> str:
    """Return the key of the upload of a job.

    The name of the file is stored in the job, not in the key: people may type anything into it.
    """
    return f"{IMPORTS}{org_id}/{job_id}/upload.csv"


def report_key(org_id: str, job_id: int) -> str:
    """Return the key of the report of the rows that a job did not import."""
    return f"reports/{org_id}/{job_id}/not_imported.csv"


def drop_result_key(org_id: str, filename: str, job_id: int) -> str:
    """Return the key of the result of a dropped file, which has the name that its sender knows."""
    return f"drop-results/{org_id}/{filename[:_RESULT_NAME_LENGTH]}.{job_id}.json"


def export_key(org_id: str, export_id: int, filename: str) -> str:
    """Return the key of the file of an export."""
    return f"exports/{org_id}/{export_id}/{filename}"


def export_request_key(org_id: str, export_id: int) -> str:
    """Return the key that hands an export over to process_export."""
    return f"{EXPORT_REQUESTS}{org_id}/{export_id}.json"


@dataclass(frozen=True, slots=True)
class JobKey:
    """The organisation and the job in a key that import_leads or export_leads made."""

    org_id: str
    job_id: int


@dataclass(frozen=True, slots=True)
class DropKey:
    """The file that a partner dropped, as its key describes it."""

    org_id: str
    filename: str
    merge_strategy: MergeStrategy
    problem: str | None
    """The reason for which the file cannot be imported, for the partner."""


def parse_upload_key(key: str) -> JobKey | None:
    """Parse a key under `imports/`. Return None for one that `import_key` cannot make."""
    return _job_key(_UPLOAD.fullmatch(key))


def parse_export_request_key(key: str) -> JobKey | None:
    """Parse a key under `export-requests/`. Return None for one that `export_request_key` cannot make."""
    return _job_key(_EXPORT_REQUEST.fullmatch(key))


def _job_key(match: re.Match[str] | None) -> JobKey | None:
    if match is None or not is_org_id(match[1]) or int(match[2]) > _LARGEST_ID:
        return None
    return JobKey(match[1], int(match[2]))


def parse_drop_key(key: str) -> DropKey | None:
    """Parse a key under `drop/`.

    Return None for one without a file, or without a well-formed organisation, which could receive a result.
    """
    if not key.startswith(DROP) or "\0" in key:
        return None
    org_id, _, rest = key.removeprefix(DROP).partition("/")
    folder, in_folder, filename = rest.rpartition("/")
    if not is_org_id(org_id) or not filename:
        return None
    strategy = MergeStrategy.SKIP
    problem = None
    if folder in MergeStrategy.__members__:
        strategy = MergeStrategy[folder]
    elif in_folder:
        problem = (
            f"Files are imported from drop/{org_id}/ and from its folders {', '.join(MergeStrategy)}. "
            "Choose one of these and send it again."
        )
    if problem is None and not filename.lower().endswith((".csv", ".csv.gz")):
        problem = "Only .csv and .csv.gz files are imported. Save this file as CSV and send it again."
    return DropKey(org_id, clean_filename(filename), strategy, problem)
