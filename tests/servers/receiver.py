"""A receiver of webhooks on loopback: what an application would be, and what it could do to us.

    with receiving() as receiver:
        receiver.url("/hook")                    # "http://127.0.0.1:40053/hook"
        receiver.answers("/hook", 500, 200)      # one after the other; the last one stays
        receiver.answers("/slow", HANG)          # no answer before `release`
        receiver.got("/hook")                    # what was posted there

What isn't told otherwise is answered with 200.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast

from tests.servers.ports import free_port

HANG: Final = 0  # in the place of a status

# What answers in its own way: it is given the socket, behind the request.
Wild = Callable[[socket.socket], None]


@dataclass(frozen=True, slots=True)
class Posted:
    """A request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """What was posted, and what is answered. Safe to use from any thread."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.posted: list[Posted] = []
        self.taken: list[Posted] = []  # of these, what was answered with 200
        self.refuse: Callable[[Posted], bool] = lambda posted: False  # noqa: ARG005 - none
        self.connections = 0
        self.names: list[str] = []  # that TLS clients asked for
        self._answers: dict[str, list[int | Wild]] = {}
        self._released = threading.Event()
        self._tls = tls
        if tls:
            tls.sni_callback = self._asked
        self._server: _Server | None = None
        # Its own: one that the system gave would be anybody's between an end and a beginning.
        self.port = free_port()
        self.begin()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Return the URL of a path."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def answers(self, path: str, *statuses: int | Wild) -> None:
        """Say what is answered at a path, one after the other."""
        self._answers[path] = list(statuses)

    def got(self, path: str) -> list[Posted]:
        """Return what was posted to a path, in order."""
        return [one for one in self.posted if one.path == path]

    def hang(self) -> None:
        """Let requests that hang wait, from now on."""
        self._released.clear()

    def release(self) -> None:
        """Answer what hangs with 200."""
        self._released.set()

    def begin(self) -> None:
        """Listen, at the port of before."""
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def end(self) -> None:
        """Listen no more, and close what is open."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            for connection in list(self._server.open):
                with _unless_closed():
                    connection.shutdown(socket.SHUT_RDWR)
        self._server = None

    def close(self) -> None:
        """End it for good."""
        self.release()
        self.end()

    def answer(self, path: str) -> "int | Wild":
        """Take the next answer of a path; what hangs is answered once it is released."""
        left = self._answers.get(path, [200])
        chosen = left.pop(0) if len(left) > 1 else left[0]
        if chosen == HANG:
            self._released.wait()
            return 200
        return chosen

    def wrap(self, connection: socket.socket) -> socket.socket:
        """Begin TLS, if this is spoken here."""
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection

    def _asked(self, _socket: Any, name: str | None, _context: ssl.SSLContext) -> None:
        self.names.append(name or "")


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Receive until the block ends."""
    receiver = Receiver(tls)
    try:
        yield receiver
    finally:
        receiver.close()


def dripping(status: int, seconds: float = 0.02) -> Wild:
    """Answer with a body that comes byte by byte and never ends."""

    def drip(connection: socket.socket) -> None:
        head = f"HTTP/1.1 {status} Slow\r\nContent-Length: 100000\r\n\r\n"
        connection.sendall(head.encode())
        with _unless_closed():
            while True:
                connection.sendall(b"x")
                time.sleep(seconds)

    return drip


def saying(*parts: bytes) -> Wild:
    """Answer with these bytes, whatever they are, and close."""

    def say(connection: socket.socket) -> None:
        with _unless_closed():
            for part in parts:
                connection.sendall(part)

    return say


def flooding(head: bytes, part: bytes) -> Wild:
    """Answer with something that goes on for ever."""

    def flood(connection: socket.socket) -> None:
        with _unless_closed():
            connection.sendall(head)
            while True:
                connection.sendall(part)

    return flood


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", receiver.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.receiver.connections += 1
        self.open.add(request)  # here, so that an end knows each that was taken before it
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with _unless_closed():
            wrapped = self.receiver.wrap(request)
            self.open.add(wrapped)
            if wrapped is not request:
                self.open.discard(request)
            super().process_request_thread(wrapped, client_address)
            self.open.discard(wrapped)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients may leave at any time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        receiver = cast(_Server, self.server).receiver
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:  # whoever posted was killed at it
            self.close_connection = True
            return
        posted = Posted(self.path, dict(self.headers.items()), body)
        receiver.posted.append(posted)
        answer = 422 if receiver.refuse(posted) else receiver.answer(self.path)
        if callable(answer):
            answer(self.connection)
            self.close_connection = True
            return
        if answer == 200:
            receiver.taken.append(posted)
        said = f"said with {answer}".encode()
        head = f"HTTP/1.1 {answer} Said\r\nContent-Length: {len(said)}\r\n"
        if 300 <= answer < 400:
            head += f"Location: {receiver.url('/elsewhere')}\r\n"
        self.connection.sendall(head.encode() + b"\r\n" + said)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _unless_closed() -> Iterator[None]:
    try:
        yield
    except OSError:
        return
