"""End a child process when this process is gone, even by SIGKILL."""

from __future__ import annotations

import signal
import subprocess


class Guard:
    """A shell that signals a process group as soon as this process is gone.

    The shell notices by the end of its stdin. Linux's parent-death signal would come too early: at the end of
    the thread that started the child. macOS has none.
    """

    def __init__(self, group: int, ending: signal.Signals) -> None:
        """Guard the group that a child with `start_new_session` leads."""
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r line; kill -s "$1" -- "-$2"', "sh", ending.name[3:], str(group)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # A signal of the terminal must not end it.
        )

    def close(self) -> None:
        """Signal nothing any more: the number of a child that has ended may be another process's soon."""
        with self._shell:
            self._shell.kill()
