"""Processes by their ids: whose children are there, and their end."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.patience import wait_for


def children(pid: int) -> list[int]:
    """Return the children that a process has at this moment."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in listed.split()]


def kill(pids: Sequence[int]) -> None:
    """End processes where they stand; return once they hold no file, port or lock any more."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(map(_alive, pids)), "killed processes to be gone")


def _alive(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())  # empty for a zombie
    except (FileNotFoundError, ProcessLookupError):
        return False
