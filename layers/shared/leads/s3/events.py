"""What S3 tells a function: which objects were stored."""

from dataclasses import dataclass
from urllib.parse import unquote_plus

from leads.observability import logger


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One version of one object, as an S3 event names it."""

    key: str
    version: str
    size: int = 0
    """Bytes of it, as far as the event tells: for what may begin before it is opened, and nothing else."""


def stored_files(event: object) -> list[StoredFile]:
    """The objects of an event. Keys are URL-encoded in it (S3 event message structure); folders' marks are
    left out, and so is what S3 does not send: to raise would only bring it again.
    """
    files = []
    for record in _records(event):
        match record:
            case {"s3": {"object": {"key": str(key), **about}}}:
                version, size = about.get("versionId"), about.get("size")
                file = StoredFile(
                    unquote_plus(key),
                    version if isinstance(version, str) and version else "null",
                    size if isinstance(size, int) else 0,
                )
                if not file.key.endswith("/"):
                    files.append(file)
            case _:
                logger.error("record of no stored object")
    return files


def _records(event: object) -> list[object]:
    match event:
        case {"Records": list(records)}:
            return records
    return []
