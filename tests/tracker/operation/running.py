"""A `tracker` that runs as a process of its own, in a folder of its own, on free ports."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.servers import processes


class Running:
    """The process, what it logs, and where it listens in the order of `tracker.roles`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.addresses: list[str] = self.until("listening")["on"]

    def until(self, event: str, **facts: object) -> dict[str, Any]:
        """Wait for a log line with this event and these facts."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if not line.startswith("{"):
                continue  # a sentence for a person
            logged: dict[str, Any] = json.loads(line)
            if {"event": event, **facts}.items() <= logged.items():
                return logged
        raise AssertionError(f"it ended without logging {event} {facts}")


@contextmanager
def running(*arguments: str, **settings: str) -> Iterator[Running]:
    """Run a command until the block ends; settings are given as the environment has them."""
    ours = {
        "TRACKER_EDGE_LISTEN": "127.0.0.1:0",
        "TRACKER_API_LISTEN": "127.0.0.1:0",
        "TRACKER_EDGE_WORKERS": "1",
        # What was answered is on disk, however slow that may be.
        "TRACKER_EDGE_LATE_AFTER": "60",
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tracker", *arguments],
        env={**os.environ, **ours},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                # Its children alone would drain first, beside the next test.
                processes.kill_family(process.pid)
