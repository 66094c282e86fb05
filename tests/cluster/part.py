"""A part: a `tracker` command as processes of their own that are stopped, killed and started again.

What it logs goes into a file, so that nothing waits for a reader.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE, wait_for
from tests.servers import processes


class Part:
    """A command with its settings, as the environment has them; running or not."""

    def __init__(self, name: str, command: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.data = Path(settings["TRACKER_DATA"])
        self.addresses: list[str] = []
        self._command = command
        self.settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._since = 0

    @property
    def running(self) -> bool:
        """Tell whether its supervisor lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "TRACKER_LOG_FORMAT": "json", **self.settings}

    def tell(self, *command: str) -> str:
        """Run another command on its machine; return what that prints."""
        ran = subprocess.run(
            [sys.executable, "-m", "tracker", *command],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"tracker {' '.join(command)}: {ran.stderr}"
        return ran.stdout

    def start(self) -> None:
        """Start it, and don't wait for it."""
        with self.log.open("ab") as said:
            self._since = said.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tracker", self._command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def listens(self, *settings: str) -> None:
        """Wait until it says where it listens; have it do so at the same places ever after."""
        self.addresses = [str(address) for address in self.until("listening")["on"]]
        self.settings.update(zip(settings, self.addresses, strict=True))

    def until(self, event: str, patience: float = PATIENCE, **facts: object) -> dict[str, Any]:
        """Wait until it has logged an event with these facts, of late; return the line."""
        wait_for(
            lambda: bool(self.logged(event, **facts)) or not self.running,
            f"{self.name} to log {event} {facts}",
            patience,
        )
        lines = self.logged(event, **facts)
        assert lines, f"{self.name} ended without logging {event}; see {self.log}"
        return lines[0]

    def logged(self, event: str, **facts: object) -> list[dict[str, Any]]:
        """Return the events with these facts that it has logged of late."""
        return [line for line in self._said() if {"event": event, **facts}.items() <= line.items()]

    def forget(self) -> None:
        """Let what it has logged so far be past."""
        self._since = self.log.stat().st_size

    def stop(self) -> None:
        """Let it drain; return once it has."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(PATIENCE) == 0, f"{self.name} didn't drain; see {self.log}"
            self._process = None

    def kill(self) -> None:
        """End the supervisor and all its children where they stand."""
        if self._process is not None:
            if self.running:
                processes.kill_family(self._process.pid)
            self._process.wait()
            self._process = None

    def kill_children(self) -> int:
        """End the children where they stand, for the supervisor to replace; return how many."""
        assert self._process is not None
        children = processes.children(self._process.pid)
        processes.kill(children)
        return len(children)

    def _said(self) -> Iterator[dict[str, Any]]:
        """Give what it has logged since it was started, or since it was told to forget."""
        with self.log.open("rb") as said:
            said.seek(self._since)
            for line in said:
                if line.startswith(b"{") and line.endswith(b"\n"):
                    yield json.loads(line)
