"""The clients: a process of threads that ask for path after path, each in one way.

    python -m bench.tls.clients PORT PATHS SECONDS THREADS WAY

The last line of its output is what it saw, as JSON. wrk is faster, but resumes every session, so it
can't ask for full handshakes. What a server's CPU took doesn't depend on who asks.
"""

import math
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

from bench.edge.traffic import DOMAIN

Way = Literal["plain", "full", "resumed", "kept plain", "kept"]
WAYS: Final[tuple[Way, ...]] = get_args(Way)
PATIENCE: Final = 8.0  # seconds for an answer


class Seen(msgspec.Struct, frozen=True):
    """What all clients saw. Latencies, from connecting to the answer, are in milliseconds.

    `wrong` counts answers that were no good ones, `lost` requests without any.
    """

    requests: int
    resumed: int
    seconds: float
    wrong: int
    lost: int
    p50_ms: float
    p99_ms: float


@dataclass
class Client:
    """One thread's asking."""

    port: int
    paths: list[bytes]
    way: Way
    context: ssl.SSLContext
    took: list[float] = field(default_factory=list)
    resumed: int = 0
    wrong: int = 0
    lost: int = 0
    _kept: socket.socket | None = None
    _session: ssl.SSLSession | None = None

    def ask_until(self, end: float) -> None:
        """Ask for one path after the other."""
        at = 0
        while (begun := time.monotonic()) < end:
            try:
                status = self._ask(self.paths[at % len(self.paths)])
                self.wrong += status not in (b"200", b"302")
                self.took.append(time.monotonic() - begun)
            except OSError:
                self.lost += 1
                self._kept = None
            at += 1
        if self._kept is not None:
            self._kept.close()

    def _ask(self, path: bytes) -> bytes:
        keep = self.way in ("kept", "kept plain")
        connection = self._kept or self._connected()
        end = b"" if keep else b"Connection: close\r\n"
        connection.sendall(b"GET %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (path, DOMAIN.encode(), end))
        answer = connection.recv(65536)
        if not answer:
            raise ConnectionResetError
        if keep:
            self._kept = connection
            return answer[9:12]
        if isinstance(connection, ssl.SSLSocket):
            self.resumed += bool(connection.session_reused)
            self._session = connection.session  # TLS 1.3 gives it with the first bytes it reads
        connection.close()
        return answer[9:12]

    def _connected(self) -> socket.socket:
        below = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        below.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.way in ("plain", "kept plain"):
            return below
        session = self._session if self.way == "resumed" else None
        return self.context.wrap_socket(below, server_hostname=DOMAIN, session=session)


def main() -> None:
    """Ask as the arguments say."""
    port, paths, seconds, threads, way = sys.argv[1:]
    lines = Path(paths).read_bytes().split()
    context = ssl.create_default_context(cadata=Path(paths).with_name("ca.pem").read_text())
    share = len(lines) // int(threads)
    clients = [
        Client(int(port), lines[number * share :], next(one for one in WAYS if one == way), context)
        for number in range(int(threads))
    ]
    begun = time.monotonic()
    end = begun + float(seconds)
    running = [threading.Thread(target=client.ask_until, args=(end,)) for client in clients]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    took = sorted(second for client in clients for second in client.took)
    seen = Seen(
        requests=len(took),
        resumed=sum(client.resumed for client in clients),
        seconds=time.monotonic() - begun,
        wrong=sum(client.wrong for client in clients),
        lost=sum(client.lost for client in clients),
        p50_ms=percentile(took, 0.5),
        p99_ms=percentile(took, 0.99),
    )
    print(msgspec.json.encode(seen).decode())


def percentile(took: list[float], share: float) -> float:
    """Return in milliseconds what that share of sorted seconds doesn't exceed."""
    return took[math.ceil(len(took) * share) - 1] * 1000 if took else math.nan


if __name__ == "__main__":
    main()
