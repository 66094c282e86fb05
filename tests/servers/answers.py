"""What a CA finds at a name: answers to HTTP-01 and TLS-ALPN-01, on loopback.

with answering() as answers:
acme.issue(name, csr, answers.respond)      # CA looks at answers.http_port, .tls_port
"""

import http.server
import ssl
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, cast

from certs.acme import TLS_ALPN_01, Challenge
from certs.acme.tlsalpn import ALPN, challenge_certificate
from tests.servers.authority import Pair

_WELL_KNOWN: Final = "/.well-known/acme-challenge/"


class Answers:
    """What is answered now, and what was asked; `thumbprint` answers every token, as edges do."""

    def __init__(self) -> None:
        self.http_port = 0
        self.tls_port = 0
        self.thumbprint = ""
        self.tokens: dict[str, str] = {}
        self.certificates: dict[str, ssl.SSLContext] = {}
        self.readied: list[Challenge] = []
        self.asked: list[str] = []

    @asynccontextmanager
    async def respond(self, challenge: Challenge) -> AsyncIterator[None]:
        """Ready the right answer: a `Responder`."""
        self.readied.append(challenge)
        if challenge.kind == TLS_ALPN_01:
            self.certificates[challenge.name] = _context(Pair(*challenge_certificate(challenge)))
        else:
            self.tokens[challenge.token] = challenge.key_authorization
        try:
            yield
        finally:
            self.tokens.pop(challenge.token, None)
            self.certificates.pop(challenge.name, None)

    @asynccontextmanager
    async def respond_wrongly(self, challenge: Challenge) -> AsyncIterator[None]:
        """Ready an answer that isn't the one, as another account's edge would."""
        self.tokens[challenge.token] = f"{challenge.token}.of-another-account"
        try:
            yield
        finally:
            del self.tokens[challenge.token]

    def to(self, path: str) -> str | None:
        """Return what is at a path of the names' HTTP servers."""
        self.asked.append(path)
        token = path.removeprefix(_WELL_KNOWN)
        if self.thumbprint and token != path:
            return f"{token}.{self.thumbprint}"
        return self.tokens.get(token)


@contextmanager
def answering(host: str = "127.0.0.1") -> Iterator[Answers]:
    """Answer on two free ports until the block ends."""
    answers = Answers()
    with ExitStack() as stack:
        for server in (_Http(answers, host), _Tls(answers, host)):
            stack.callback(server.server_close)
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield answers


class _Http(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # A CA asks thrice for each order: whom the system turns away comes again only a second later.
    request_queue_size = 128

    def __init__(self, answers: Answers, host: str) -> None:
        self.answers = answers
        super().__init__((host, 0), _Page)
        answers.http_port = self.server_port

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a CA that hangs up early is none of the test's concern."""


class _Tls(_Http):
    """Finishes handshakes for the names that have a challenge's certificate, and only those."""

    def __init__(self, answers: Answers, host: str) -> None:
        http_port = answers.http_port
        super().__init__(answers, host)
        answers.tls_port, answers.http_port = self.server_port, http_port
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols([ALPN])
        context.sni_callback = self._choose
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def _choose(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        chosen = self.answers.certificates.get(name or "")
        if chosen is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        tls.context = chosen
        return None


class _Page(http.server.BaseHTTPRequestHandler):
    timeout = 30
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = cast(_Http, self.server).answers.to(self.path)
        content = (body or "nothing here").encode()
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _context(pair: Pair) -> ssl.SSLContext:
    with tempfile.TemporaryDirectory() as folder:
        context = pair.server_context(Path(folder))
    context.set_alpn_protocols([ALPN])
    return context
