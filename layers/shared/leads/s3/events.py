"""Read the events by which S3 announces stored objects."""

from dataclasses import dataclass
from urllib.parse import unquote_plus

from leads.observability import logger


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One version of one object, as an S3 event names it."""

    key: str
    version: str
    size: int = 0
    """Bytes, as the event announced them: an estimate until the object is open."""


def stored_files(event: object) -> list[StoredFile]:
    """Return the objects of an event, without the markers of folders.

    Keys are URL-encoded in an event (S3 event message structure). A record that S3 does not send is logged
    and left out: an error would only make Lambda deliver the event again.
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
