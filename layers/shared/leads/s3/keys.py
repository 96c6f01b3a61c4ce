"""The keys of the bucket: one place that builds them and one that reads them.

imports/{org}/{job}/upload.csv            an upload, of one job
drop/{org}/[{STRATEGY}/]{name}.csv[.gz]   a partner's file; each put is a job
drop-results/{org}/{name}.{job}.json      what became of a partner's file
reports/{org}/{job}/not_imported.csv      the rows that a job did not import
exports/{org}/{export}/{filename}         what an export made
export-requests/{org}/{export}.json       an export that takes longer than one answer may
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
"""Postgres's bigint, which a job's id is."""

_RESULT_NAME_LENGTH: Final = 200
"""Characters of a file's name in another key: S3 allows 1,024 bytes, and a character may take four."""

_UPLOAD: Final = re.compile(rf"{IMPORTS}([^/]+)/([1-9][0-9]{{0,18}})/upload\.csv", re.ASCII)
_EXPORT_REQUEST: Final = re.compile(rf"{EXPORT_REQUESTS}([^/]+)/([1-9][0-9]{{0,18}})\.json", re.ASCII)


def import_key(org_id: str, job_id: int) -> str:
    """Where the upload of a job lies. The file's own name stays in the job: a key is no place for what people
    type.
    """
    return f"{IMPORTS}{org_id}/{job_id}/upload.csv"


def report_key(org_id: str, job_id: int) -> str:
    """Where the file of a job's rows that were not imported lies."""
    return f"reports/{org_id}/{job_id}/not_imported.csv"


def drop_result_key(org_id: str, filename: str, job_id: int) -> str:
    """Where the result of a dropped file lies, under the name that its sender knows."""
    return f"drop-results/{org_id}/{filename[:_RESULT_NAME_LENGTH]}.{job_id}.json"


def export_key(org_id: str, export_id: int, filename: str) -> str:
    """Where the file of an export lies."""
    return f"exports/{org_id}/{export_id}/{filename}"


def export_request_key(org_id: str, export_id: int) -> str:
    """Where an export that is handed over to process_export is announced."""
    return f"{EXPORT_REQUESTS}{org_id}/{export_id}.json"


@dataclass(frozen=True, slots=True)
class JobKey:
    """The object of a job that import_leads or export_leads recorded."""

    org_id: str
    job_id: int


@dataclass(frozen=True, slots=True)
class DropKey:
    """A file that a partner dropped. `problem` says why it cannot be imported, when it cannot."""

    org_id: str
    filename: str
    merge_strategy: MergeStrategy
    problem: str | None


def parse_upload_key(key: str) -> JobKey | None:
    """Reads a key under `imports/`; None when it is not one that we made."""
    return _job_key(_UPLOAD.fullmatch(key))


def parse_export_request_key(key: str) -> JobKey | None:
    """Reads a key under `export-requests/`; None when it is not one that we made."""
    return _job_key(_EXPORT_REQUEST.fullmatch(key))


def _job_key(match: re.Match[str] | None) -> JobKey | None:
    if match is None or not is_org_id(match[1]) or int(match[2]) > _LARGEST_ID:
        return None
    return JobKey(match[1], int(match[2]))


def parse_drop_key(key: str) -> DropKey | None:
    """Reads a key under `drop/`; None when it names no well-formed organisation, so that nobody can be
    told, or no file.
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
            f"Files go to drop/{org_id}/ or to a folder of it named {', '.join(MergeStrategy)}; "
            "move this one and send it again."
        )
    if problem is None and not filename.lower().endswith((".csv", ".csv.gz")):
        problem = "Only .csv and .csv.gz files are imported; save this one as CSV and send it again."
    return DropKey(org_id, clean_filename(filename), strategy, problem)
