"""The state directory: private ones, and the lock that keeps a second process out."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

PROJECT = Path(__file__).resolve().parent.parent


class LaptopError(Exception):
    """Something that a person has to mend; the message says what. Each part has its kind."""


class DirectoryInUse(LaptopError):
    """Another process works on this directory."""


class DirectoryLock:
    """Keeps a directory to one process at a time. The kernel gives it up for a process that was killed."""

    def __init__(self, directory: Path, owner: str) -> None:
        """Nothing happens before `acquire`; `owner` is what the message calls the other process."""
        self._path = directory / ".lock"
        self._owner = owner
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise DirectoryInUse naming the process that has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DirectoryInUse(
                f"{self._owner} already runs on {self._path.parent} (process {holder}): stop it first, "
                "or use another directory"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock up. The file stays: else two processes could lock two files of the same name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> DirectoryLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)


def state_directory() -> Path:
    """Where `make run` keeps its state, from LEADS_STATE_DIR."""
    return Path(os.environ.get("LEADS_STATE_DIR") or PROJECT / ".local")
