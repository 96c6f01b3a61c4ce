"""What S3 tells a function: which objects were stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One version of one object, as an S3 event names it."""

    key: str
    version: str


def stored_files(event: Mapping[str, Any]) -> list[StoredFile]:
    """The objects of an event. Keys are URL-encoded in it (S3 event message structure); folders' marks are
    left out.
    """
    files = []
    for record in event.get("Records") or ():
        stored = record["s3"]["object"]
        file = StoredFile(unquote_plus(stored["key"]), stored.get("versionId") or "null")
        if not file.key.endswith("/"):
            files.append(file)
    return files
