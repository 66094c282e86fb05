"""Who is asked: four servers on loopback, each one worker on one core, each with its own folder.

Every server runs from the beginning to the end of a benchmark and is idle out of its turn.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

import msgspec

from bench.edge import process, traffic
from tracker import counters
from tracker.edge.settings import WorkerSettings
from tracker.reader import START, SpoolReader, Stream

ROOT: Final = Path(__file__).parents[2]
READY_WITHIN: Final = 15.0  # seconds
WRITTEN_WITHIN: Final = 10.0  # seconds, for hits that were answered before they were on disk
RIVAL_NEEDS: Final = Path(__file__).with_name("rival.txt")

NGINX_CONF: Final = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log {folder}/access.log;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        {directives}
        location / {{ empty_gif; }}
    }}
}}
"""


class ServerFailed(Exception):
    """A server doesn't do what it is compared for; the message says which, and how it failed."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a server is started on: a folder of its own, a core, and what it will be asked for."""

    folder: Path
    core: int
    keyring: Path
    paths: Path


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers. `after` follows a run of so many answers, outside of what is measured."""

    name: str
    pid: int
    port: int
    paths: Path
    after: Callable[[int], None]
    account: Callable[[], str] = str  # what a server has to say for itself at the end

    def cpu(self) -> float:
        """Return the CPU seconds that its workers have taken."""
        return sum(process.cpu(pid) for pid in process.workers(self.pid))

    def memory(self) -> float:
        """Return the megabytes of one worker."""
        return max(process.memory(pid) for pid in process.workers(self.pid))


Start = Callable[[contextlib.ExitStack, Ground], Server]


def ours(stack: contextlib.ExitStack, ground: Ground) -> Server:
    """Start one edge worker as the supervisor does; what it answered must be in its spool."""
    spool = ground.folder / "spool"
    spool.mkdir()
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
    settings = WorkerSettings([listener.fileno()], str(spool), str(ground.keyring))
    child = stack.enter_context(
        running(
            [sys.executable, "-m", "tracker.edge.worker"],
            ground,
            stdin=msgspec.json.encode(settings) + b"\n",
            inherited=[listener.fileno()],
        )
    )
    port: int = listener.getsockname()[1]
    kept = Kept(SpoolReader(spool))
    return Server("ours, durable", child.pid, port, ground.paths, kept.drain, kept.account)


def bare(stack: contextlib.ExitStack, ground: Ground) -> Server:
    """Start uvicorn with nothing but a constant answer, and nothing that it could leave out."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "uvicorn", "bench.edge.bare:application", "--port", str(port)),
        *("--loop", "uvloop", "--http", "httptools", "--lifespan", "off"),
        *("--no-access-log", "--no-proxy-headers", "--log-level", "warning"),
    ]
    child = stack.enter_context(running(command, ground))
    return Server("bare uvicorn", child.pid, port, ground.paths, nothing)


def nginx(stack: contextlib.ExitStack, ground: Ground) -> Server:
    """Start nginx, which answers a constant and writes a line to a log, unforced."""
    port = free_port()
    child = run_nginx(stack, ground, f"listen 127.0.0.1:{port} backlog=2048;")

    def empty_log(_answered: int) -> None:
        os.truncate(ground.folder / "access.log", 0)

    return Server("nginx, a log line", child.pid, port, ground.paths, empty_log)


def rival(stack: contextlib.ExitStack, ground: Ground) -> Server:
    """Start pytracking2 under gunicorn, in an environment that is made at its first use."""
    python = rival_environment()
    paths, port = ground.folder / "paths", free_port()
    count = str(2 * traffic.RECIPIENTS)
    with paths.open("wb") as file:
        command = [str(python), "-m", "bench.edge.rival", count]
        subprocess.run(command, cwd=ROOT, stdout=file, check=True)
    command = [
        *(str(python), "-m", "gunicorn", "bench.edge.rival:application"),
        *("--bind", f"127.0.0.1:{port}", "--workers", "1", "--log-level", "warning"),
    ]
    child = stack.enter_context(running(command, ground, HITS=str(ground.folder / "hits.db")))
    return Server("pytracking2", child.pid, port, paths, nothing)


SERVERS: Final[dict[str, Start]] = {"ours": ours, "bare": bare, "nginx": nginx, "rival": rival}


class Kept:
    """What an edge worker wrote, read and removed as the forwarder would."""

    def __init__(self, reader: SpoolReader) -> None:
        self._reader = reader
        self._position = START
        self._answered = 0
        self._hits = 0

    def drain(self, answered: int) -> None:
        """Read until there is a hit for every answer; raise ServerFailed if one stays away."""
        self._answered += answered
        end = time.monotonic() + WRITTEN_WITHIN
        while self._read() or self._hits < self._answered:
            if time.monotonic() > end:
                raise ServerFailed(f"ours gave {self._answered} answers and kept {self._hits} hits")

    def account(self) -> str:
        """Say how many hits were kept, and how many of them after the answer."""
        late = counters.read(self._stream().folder)[counters.Counter.LATE]
        return (
            f"Ours gave {self._answered:,} answers; {self._hits:,} hits were read back from its "
            f"spool, {late:,} of them written after their answer (the disk took over 250 ms)."
        )

    def _stream(self) -> Stream:
        (stream,) = self._reader.streams()
        return stream

    def _read(self) -> int:
        stream = self._stream()
        batch = stream.read(self._position)
        self._position = batch.position
        stream.forget(self._position)
        self._hits += len(batch.hits)
        return len(batch.hits)


def run_nginx(
    stack: contextlib.ExitStack, ground: Ground, *directives: str
) -> "subprocess.Popen[bytes]":
    """Run nginx with directives of its server's own."""
    folder = ground.folder
    conf = NGINX_CONF.format(folder=folder, directives="\n        ".join(directives))
    (folder / "nginx.conf").write_text(conf)
    command = ["nginx", "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    return stack.enter_context(running(command, ground))


@contextlib.contextmanager
def running(
    command: list[str],
    ground: Ground,
    *,
    stdin: bytes = b"",
    inherited: Sequence[int] = (),
    **environment: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on one core, its output in a file of its folder, until the block ends."""
    with (ground.folder / "output").open("wb") as output:
        child = subprocess.Popen(
            ["taskset", "-c", str(ground.core), *command],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=inherited,
        )
    assert child.stdin is not None
    with child.stdin:
        try:
            child.stdin.write(stdin)
            child.stdin.flush()
            yield child
        finally:
            child.terminate()
            child.wait()


def ready(server: Server, output: Path) -> None:
    """Return once a server gives a good answer; raise ServerFailed if it doesn't within a bound."""
    path = server.paths.read_text().split()[0]
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end:
        with contextlib.closing(HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
            try:
                connection.request("GET", path, headers={"Host": traffic.DOMAIN})
                if connection.getresponse().status == 200:
                    server.after(1)
                    return
            except (OSError, HTTPException):
                time.sleep(0.05)
    raise ServerFailed(f"{server.name} did not answer: {output.read_text()[-2000:]}")


def rival_environment() -> Path:
    """Return the interpreter that has pytracking2 and gunicorn; install them where it is new."""
    environment = ROOT / "build" / "bench-venv"
    python = environment / "bin" / "python"
    if not (environment / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        needs = ["--require-hashes", "-r", str(RIVAL_NEEDS)]
        subprocess.run([str(python), *install, *needs], check=True)
        (environment / "complete").touch()
    return python


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def nothing(_answered: int) -> None:
    """Leave everything as it is."""
