"""A worker as a process: it answers over TCP, drains when told, and dies without losing a hit."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE, wait_for
from tests.tracker.edge.wire import CLICK, DESTINATION, DOMAIN, KEYRING, OPEN
from tracker.counters import Counter, read
from tracker.hit import Hit
from tracker.reader import START, SpoolReader

WORKER = "tracker.edge.worker"
PATIENT = "tests.tracker.edge.patient"


@dataclass
class Running:
    """A worker and the socket that it inherited."""

    folder: Path
    listener: socket.socket
    process: subprocess.Popen[bytes]
    clients: list[socket.socket] = field(default_factory=list)

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.listener.getsockname(), timeout=PATIENCE)
        self.clients.append(client)
        return client

    def hits(self) -> list[Hit]:
        found: list[Hit] = []
        for stream in SpoolReader(self.folder / "spool").streams():
            position = START
            while (batch := stream.read(position)).hits:
                found += batch.hits
                position = batch.position
        return found


def request(kind: str, token: str, headers: str = "") -> bytes:
    return f"GET /{kind}/{token} HTTP/1.1\r\nHost: {DOMAIN}\r\n{headers}\r\n".encode()


def head(client: socket.socket) -> str:
    """Read one answer's status line and headers."""
    got = b""
    while b"\r\n\r\n" not in got:
        if not (more := client.recv(65536)):
            break
        got += more
    return got.partition(b"\r\n\r\n")[0].decode()


def closed(client: socket.socket) -> None:
    """Return once the worker has closed a connection."""
    while client.recv(65536):
        pass


@pytest.fixture
def worker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    KEYRING.save(tmp_path / "keyring.json")
    listener = socket.create_server(("127.0.0.1", 0))
    module = getattr(request, "param", WORKER)
    running = Running(tmp_path, listener, start(tmp_path, listener, module=module))
    yield running
    for client in running.clients:
        client.close()
    running.process.kill()
    running.process.communicate()
    listener.close()


def start(
    folder: Path,
    listener: socket.socket,
    tls: socket.socket | None = None,
    *,
    module: str = WORKER,
    **settings: Any,
) -> subprocess.Popen[bytes]:
    secured = [tls.fileno()] if tls else []
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", module],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[listener.fileno(), *secured],
        start_new_session=True,
    )
    chosen = {
        "listen_fds": [listener.fileno()],
        "tls_listen_fds": secured,
        "spool": str(folder / "spool"),
        "keyring": str(folder / "keyring.json"),
        "late_after": 60,  # what was answered is on disk, however slow that may be
        **settings,
    }
    assert process.stdin is not None
    process.stdin.write(json.dumps(chosen).encode() + b"\n")
    process.stdin.flush()
    return process


def ended(process: subprocess.Popen[bytes]) -> tuple[int, list[dict[str, Any]]]:
    """Return how a worker left and what it logged."""
    _, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, [json.loads(line) for line in errors.splitlines()]


def test_a_click_over_tcp_leads_on_and_is_on_disk(worker: Running) -> None:
    client = worker.connect()
    client.sendall(request("c", CLICK, "User-Agent: Mozilla/5.0\r\n"))
    answered = head(client)
    assert answered.startswith("HTTP/1.1 302 Found\r\n")
    assert f"location: {DESTINATION}\r\n" in answered
    (stream,) = SpoolReader(worker.folder / "spool").streams()
    assert read(stream.folder)[Counter.TOLD_AT] >= read(stream.folder)[Counter.STARTED_AT] > 0
    (hit,) = worker.hits()
    assert (hit.token, hit.address, hit.user_agent) == (CLICK, "127.0.0.1", "Mozilla/5.0")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "the end of standard input"])
def test_a_worker_drains_and_leaves_when_told(worker: Running, how: str) -> None:
    client = worker.connect()
    client.sendall(request("o", OPEN))
    assert head(client).startswith("HTTP/1.1 200")
    if how.startswith("SIG"):
        worker.process.send_signal(signal.Signals[how])
    status, logged = ended(worker.process)
    assert status == 0
    assert [line["event"] for line in logged] == ["worker_started", "worker_stopped"]
    assert client.recv(1) in (b"", b"G")  # closed; the rest of the pixel may still stand before it
    (stream,) = SpoolReader(worker.folder / "spool").streams()
    assert not stream.alive()
    assert len(worker.hits()) == 1


@pytest.mark.parametrize("worker", [PATIENT], indirect=True)
def test_a_connection_that_was_just_accepted_may_still_ask(worker: Running) -> None:
    first, late = worker.connect(), worker.connect()
    first.sendall(request("o", OPEN))
    head(first)  # so the worker runs, and has accepted both
    worker.process.send_signal(signal.SIGTERM)
    closed(first)  # so it drains
    late.sendall(request("c", CLICK))
    answered = head(late)
    assert answered.startswith("HTTP/1.1 302")
    assert ended(worker.process)[0] == 0
    assert len(worker.hits()) == 2


def test_a_killed_worker_loses_no_answered_hit_and_no_waiting_connection(worker: Running) -> None:
    client = worker.connect()
    for _ in range(20):
        client.sendall(request("c", CLICK))
        assert head(client).startswith("HTTP/1.1 302")
    worker.process.kill()
    worker.process.communicate()
    waiting = worker.connect()
    waiting.sendall(request("c", CLICK))
    worker.process = start(worker.folder, worker.listener)
    assert head(waiting).startswith("HTTP/1.1 302")
    assert len(worker.hits()) == 21
    streams = SpoolReader(worker.folder / "spool").streams()
    assert [stream.alive() for stream in streams] == [False, True]
    assert [read(stream.folder)[Counter.WRITTEN] for stream in streams] == [20, 1]


def test_two_workers_share_a_port(worker: Running) -> None:
    other = start(worker.folder, worker.listener)
    assert other.stderr is not None
    assert json.loads(other.stderr.readline())["event"] == "worker_started"
    for _ in range(50):
        client = worker.connect()
        client.sendall(request("c", CLICK, "Connection: close\r\n"))
        assert head(client).startswith("HTTP/1.1 302")
    other.send_signal(signal.SIGTERM)
    assert ended(other)[0] == 0
    assert len(worker.hits()) == 50


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "settings on standard input"),
        (b"{}", "missing required field `listen_fds`"),
        (
            b'{"listen_fds": [], "spool": "x", "keyring": "y", "colour": 1}',
            "unknown field `colour`",
        ),
        (b'{"listen_fds": [], "spool": "x", "keyring": "/nowhere"}', "no keyring at /nowhere"),
    ],
)
def test_a_worker_that_cannot_start_says_why_in_one_line(line: bytes, complaint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tracker.edge.worker"],
        input=line + b"\n",
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert complaint in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1


def test_readers_are_answered_while_the_spool_cannot_even_be_made(tmp_path: Path) -> None:
    KEYRING.save(tmp_path / "keyring.json")
    (tmp_path / "spool").touch()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = Running(tmp_path, listener, start(tmp_path, listener, late_after=0.05))
        with running.connect() as client:
            client.sendall(request("c", CLICK))
            assert head(client).startswith("HTTP/1.1 302")
            (tmp_path / "spool").unlink()
            wait_for(running.hits, "the hit to be written")
            assert [hit.token for hit in running.hits()] == [CLICK]
        status, logged = ended(running.process)
    assert status == 0
    told = [line for line in logged if line["event"] == "spool_failing"]
    assert "spool" in told[0]["reason"]
    assert "spool_recovered" in [line["event"] for line in logged]
