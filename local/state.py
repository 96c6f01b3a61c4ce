"""Lock state directories against a second process, and write private files into them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

PROJECT = Path(__file__).resolve().parent.parent


class LaptopError(Exception):
    """Report a problem that a person has to solve. The message names it."""


class DirectoryInUse(LaptopError):
    """Report that another process uses a directory."""


class DirectoryLock:
    """Lock a directory for one process at a time. The kernel releases the lock of a killed process."""

    def __init__(self, directory: Path, owner: str) -> None:
        """Prepare a lock. `owner` names the other process in the message."""
        self._path = directory / ".lock"
        self._owner = owner
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Acquire the lock. Raise DirectoryInUse, which names the process that holds it."""
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
        """Release the lock. The file stays, or two processes could lock two files of the same name."""
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
    """Write a file that only its owner can read, completely or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)


def state_directory() -> Path:
    """Return the directory of `make run`'s state, from LEADS_STATE_DIR."""
    return Path(os.environ.get("LEADS_STATE_DIR") or PROJECT / ".local")
