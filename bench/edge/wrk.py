"""The closed loop: as many requests as so many connections can ask, by wrk."""

import subprocess
from pathlib import Path
from typing import Final

import msgspec

SCRIPT: Final = Path(__file__).with_name("load.lua")


class Answered(msgspec.Struct, frozen=True):
    """What a load generator saw. Latencies are in milliseconds."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float


class LoadFailed(Exception):
    """The load generator couldn't do its work."""


def closed_loop(
    port: int, paths: Path, *, core: int, connections: int, keep_alive: bool, seconds: int
) -> Answered:
    """Ask for the paths over and over; raise LoadFailed where wrk doesn't come to its end."""
    mode = "keep" if keep_alive else "close"
    ran = subprocess.run(
        [
            *("taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"),
            *("--timeout", "8s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}"),
            *("--", str(paths), mode),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return msgspec.json.decode(ran.stdout.splitlines()[-1], type=Answered)
    except (IndexError, msgspec.DecodeError) as error:
        raise LoadFailed(f"wrk said: {ran.stdout}{ran.stderr}") from error
