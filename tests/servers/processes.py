"""Processes by their ids: whose children are there, and their end."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.patience import wait_for

_STOPPED: Final = "T"
_ENDED: Final = ("Z", "X")  # proc(5): the parent has yet to hear of it


def children(pid: int) -> list[int]:
    """Return the children that a process has at this moment."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in listed.split()]


def kill_family(pid: int) -> None:
    """End a process and its children; it is stopped first, so that it makes no child meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: _state(pid) in (_STOPPED, *_ENDED, ""), "a process to stop")
    kill([pid, *children(pid)])


def kill(pids: Sequence[int]) -> None:
    """End processes where they stand; return once they hold no file, port or lock any more."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(map(_alive, pids)), "killed processes to be gone")


def _alive(pid: int) -> bool:
    # Memory goes first, files and then the state of a zombie come later (do_exit of the kernel's
    # exit.c); while other threads end, the first one is a zombie already.
    return _state(pid) not in (*_ENDED, "") or _threads(pid) > 1


def _state(pid: int) -> str:
    """Return the letter that proc(5) has for what a process does; "" for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _threads(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return 0
