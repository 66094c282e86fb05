"""The smoke run: `make run`, a click on a link that it prints, the event through the API, Ctrl-C.

    .venv/bin/python .ci/smoke.py

Promise: exit status 0 only if a person would have seen all of it. The checkout's own data folder is
left alone.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

WITHIN = 120  # seconds for everything, and so for each answer


@contextlib.contextmanager
def system(data: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run `make run` on free ports; leave nothing of it running."""
    free = {"TRACKER_EDGE_LISTEN": "127.0.0.1:0", "TRACKER_API_LISTEN": "127.0.0.1:0"}
    process = subprocess.Popen(
        ["make", "--no-print-directory", "run"],
        env={**os.environ, **free, "TRACKER_DATA": str(data), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def told(process: "subprocess.Popen[str]") -> Iterator[str]:
    """Yield what it prints, showing it too."""
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(line)
        yield line.strip()


def introduced(lines: Iterator[str]) -> tuple[dict[str, str], str]:
    """Read until it says that it is ready; return a link of each kind, and the API's address."""
    links: dict[str, str] = {}
    api = kind = ""
    for line in lines:
        words = line.split()
        if line.startswith("http"):
            links.setdefault(kind, line)
        elif line.startswith("The API:"):
            api = words[2].rstrip(",")
        elif line.startswith("Ready."):
            return links, api
        kind = words[0] if words else kind
    raise SystemExit("make run ended before it was ready")


def tried(links: dict[str, str]) -> str:
    """Open a link of each kind as mail clients and people do; return where the click leads."""
    httpx.get(links["open"], timeout=WITHIN).raise_for_status()
    httpx.get(links["unsubscribe"], timeout=WITHIN).raise_for_status()
    httpx.post(links["unsubscribe"], timeout=WITHIN).raise_for_status()
    click = httpx.get(links["click"], timeout=WITHIN)
    assert click.status_code == 302, click
    return click.headers["location"]


def shown(lines: Iterator[str]) -> None:
    """Read until an event of each kind was shown."""
    missing = {"opened", "clicked", "unsubscribed"}
    for line in lines:
        missing -= set(line.split())
        if not missing:
            return
    raise SystemExit(f"make run ended without showing {missing}")


def main() -> None:
    """Do what a person would do who tries it."""
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"not done after {WITHIN} s"))
    signal.alarm(WITHIN)
    with tempfile.TemporaryDirectory() as folder, system(Path(folder)) as process:
        lines = told(process)
        links, api = introduced(lines)
        destination = tried(links)
        shown(lines)
        key = (Path(folder) / "api.key").read_text().split()[0]
        feed = httpx.get(f"{api}/v1/events/feed", auth=("api", key), timeout=WITHIN)
        events = feed.json()["items"]
        clicked = [event["url"] for event in events if event["event"] == "clicked"]
        assert clicked == [destination], events
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does: make gets it too
        assert any(line.startswith("Stopped.") for line in lines), "it did not stop cleanly"


if __name__ == "__main__":
    main()
