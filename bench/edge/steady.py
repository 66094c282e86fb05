"""The open loop: requests that leave at a fixed rate, whether earlier ones are answered or not.

    python -m bench.edge.steady PORT PATHS RATE SECONDS     prints `Answered` as JSON

A request's time runs from when it was due, not from when it left, until the server has closed the
connection: a server that stalls is charged with everything that had to wait behind it. One
connection a request. The generator spins on a core of its own and adds the same to every server.
"""

import contextlib
import gc
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Final

import msgspec

from bench.edge.traffic import DOMAIN
from bench.edge.wrk import Answered, LoadFailed

MOST_WAITING: Final = 512  # requests at a time; a server that far behind is failing them
PATIENCE: Final = 5.0  # seconds after the last request
GOOD: Final = (b"HTTP/1.1 200", b"HTTP/1.1 302")
HEADERS: Final = (
    f" HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n"
    "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) "
    "AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148\r\n"
    "Accept: image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5\r\n"
    "Accept-Language: en-US,en;q=0.9\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n"
)


def open_loop(port: int, paths: Path, *, core: int, rate: int, seconds: int) -> Answered:
    """Run the generator as a process of its own, on one core."""
    arguments = [str(port), str(paths), str(rate), str(seconds)]
    ran = subprocess.run(
        ["taskset", "-c", str(core), sys.executable, "-m", "bench.edge.steady", *arguments],
        capture_output=True,
        check=False,
    )
    try:
        return msgspec.json.decode(ran.stdout, type=Answered)
    except msgspec.DecodeError as error:
        raise LoadFailed(f"the open loop said: {ran.stderr.decode()}") from error


@dataclass(slots=True)
class Waiting:
    """A request on its way."""

    connection: socket.socket
    request: bytes
    due: float
    answer: bytes = b""


@dataclass(slots=True)
class Generator:
    """Everything on its way to one server, and how long what is over took, in seconds."""

    address: tuple[str, int]
    waiting: dict[int, Waiting] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    errors: int = 0
    ready: select.epoll = field(default_factory=select.epoll)

    def ask(self, request: bytes, due: float) -> None:
        """Open a connection; the request leaves once it stands."""
        if len(self.waiting) >= MOST_WAITING:
            self.errors += 1
            return
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(self.address)
        self.waiting[connection.fileno()] = Waiting(connection, request, due)
        self.ready.register(connection, select.EPOLLOUT)

    def turn(self) -> None:
        """Send and receive whatever can be sent and received now."""
        for descriptor, event in self.ready.poll(0):
            waiting = self.waiting[descriptor]
            try:
                if event & select.EPOLLOUT:
                    waiting.connection.send(waiting.request)
                    self.ready.modify(descriptor, select.EPOLLIN)
                elif chunk := waiting.connection.recv(65536):
                    waiting.answer += chunk
                else:
                    self._over(descriptor, time.perf_counter())
            except OSError:
                waiting.answer = b""
                self._over(descriptor, time.perf_counter())

    def _over(self, descriptor: int, now: float) -> None:
        waiting = self.waiting.pop(descriptor)
        waiting.connection.close()
        if waiting.answer.startswith(GOOD):
            self.took.append(now - waiting.due)
        else:
            self.errors += 1


def generate(port: int, paths: Sequence[str], rate: int, seconds: int) -> Answered:
    """Ask at the rate for so many seconds, then wait for what is missing."""
    requests = cycle([f"GET {path}{HEADERS}".encode() for path in paths])
    generator = Generator(("127.0.0.1", port))
    start = time.perf_counter() + 0.01
    sent, total = 0, rate * seconds
    end = start + seconds + PATIENCE
    while sent < total or generator.waiting:
        now = time.perf_counter()
        while sent < total and (due := start + sent / rate) <= now:
            generator.ask(next(requests), due)
            sent += 1
        generator.turn()
        if now > end:
            break
    if len(generator.took) < 2:
        sys.exit(f"only {len(generator.took)} of {total} requests were answered")
    hundredths = statistics.quantiles(generator.took, n=100)
    return Answered(
        requests=len(generator.took),
        seconds=time.perf_counter() - start,
        errors=generator.errors + len(generator.waiting),
        p50_ms=hundredths[49] * 1000,
        p99_ms=hundredths[98] * 1000,
    )


if __name__ == "__main__":
    gc.disable()
    port, paths, rate, seconds = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        answered = generate(int(port), Path(paths).read_text().split(), int(rate), int(seconds))
        sys.stdout.buffer.write(msgspec.json.encode(answered))
