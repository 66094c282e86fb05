"""An office as a process of its own."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tracker.office import OfficeSettings

COMMAND = (sys.executable, "-m", "tracker.office")


def told(data: Path, *fds: int, sinks: tuple[str, ...] = ("store",)) -> OfficeSettings:
    return OfficeSettings(
        data=str(data),
        spool=str(data / "spool"),
        keyring=str(data / "keyring.json"),
        store=str(data / "store.db"),
        listen_fds=list(fds),
        api_key=str(data / "api.key"),
        sinks=sinks,
    )


def line(settings: OfficeSettings) -> bytes:
    return msgspec.json.encode(settings) + b"\n"


def orphaned(settings: OfficeSettings) -> subprocess.CompletedProcess[bytes]:
    """Run an office whose parent goes right after telling it its settings.

    What it can't forward within 20 seconds, on a machine that is busy, waits for the next one.
    """
    return subprocess.run(COMMAND, input=line(settings), capture_output=True, check=False)


@contextmanager
def working(
    data: Path, *sinks: str, **settings: Any
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run an office; yield it and the URL of its API, which waits until it is up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        office = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(listener.fileno(),),
        )
        with office:
            assert office.stdin is not None
            wanted = told(data, listener.fileno(), sinks=sinks or ("store",))
            office.stdin.write(line(replace(wanted, **settings)))
            office.stdin.flush()
            try:
                yield office, f"http://127.0.0.1:{port}"
            finally:
                office.kill()


def first_event(office: subprocess.Popen[bytes]) -> bytes:
    """Wait until an office is at work: its sink `stdout` has told of an event."""
    assert office.stdout is not None
    return next(line for line in office.stdout if line.startswith(b'{"event"'))
