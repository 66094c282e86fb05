"""A CA that misbehaves: a proxy before Pebble that breaks what a test wants broken.

    with between(pebble) as ca:
        ca.on("new-order", refuse("rateLimited", "too many certificates", 429, retry_after="17"))
        async with Acme.open(ca.directory, key, ca_file=ca.ca_file) as acme: …
        assert ca.count("new-order") == 1

Steps are named as in `Step`. A fault is a function of what was sent and of the way on to Pebble;
it gives the answer. Faults of a step are used in turn, each as often as it was asked for, and after
them everything passes through.
"""

import base64
import functools
import json
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal, cast

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from certs.acme.chain import leaf
from tests.servers.authority import Authority
from tests.servers.pebble import Pebble

Step = Literal[
    "directory",
    "new-nonce",
    "new-account",
    "account",
    "key-change",
    "new-order",
    "order",
    "authorization",
    "challenge",
    "finalize",
    "certificate",
    "revoke",
    "renewal-info",
    "other",
]
# The paths that Pebble has for them, and the one for renewal information that is the proxy's own.
_PATHS: Final[tuple[tuple[str, Step], ...]] = (
    (r"/dir", "directory"),
    (r"/nonce-plz", "new-nonce"),
    (r"/sign-me-up", "new-account"),
    (r"/my-account/.*", "account"),
    (r"/rollover-account-key", "key-change"),
    (r"/order-plz", "new-order"),
    (r"/my-order/.*", "order"),
    (r"/authZ/.*", "authorization"),
    (r"/chalZ/.*", "challenge"),
    (r"/finalize-order/.*", "finalize"),
    (r"/certZ/.*", "certificate"),
    (r"/revoke-cert", "revoke"),
    (r".*/?renewal-?[iI]nfo/.*", "renewal-info"),
)
ALWAYS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Sent:
    """A request. `payload` is what was signed, decoded; None where nothing was."""

    step: Step
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Cut(Exception):
    """The connection ends here, without an answer."""


Onward = Callable[[], Reply]
Fault = Callable[[Sent, Onward], Reply]


class Faulty:
    """The proxy while it runs: what it does to which step, and what it saw."""

    def __init__(self, pebble: Pebble) -> None:
        self.pebble = pebble
        self.ca_file = pebble.ca_file
        self.directory = ""
        self.seen: list[Sent] = []
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._faults: dict[Step, list[tuple[Fault, int]]] = {}

    def on(self, step: Step, fault: Fault, times: int = 1) -> None:
        """Do this to a step, so many times."""
        with self._lock:
            self._faults.setdefault(step, []).append((fault, times))

    def offer_renewal_info(self) -> None:
        """Have the directory name a place for it, where Pebble has none; `on` fills it."""
        where = self.directory.removesuffix("/dir") + "/renewal-info"
        self.on("directory", edited(lambda document: document.update(renewalInfo=where)), ALWAYS)

    def mend(self) -> None:
        """Have everything pass through again."""
        with self._lock:
            self._faults.clear()

    def count(self, step: Step) -> int:
        """Say how many requests of a step came."""
        return sum(sent.step == step for sent in tuple(self.seen))

    def hang(self, _: Sent, __: Onward) -> Reply:
        """Take the request, and never answer. A fault."""
        self.ending.wait()
        raise Cut

    def take(self, sent: Sent) -> Fault | None:
        """Note a request; return what is to be done to it."""
        with self._lock:
            self.seen.append(sent)
            faults = self._faults.get(sent.step)
            if not faults:
                return None
            fault, times = faults.pop(0)
            if times > 1:
                faults.insert(0, (fault, times - 1))
            return fault


def refuse(kind: str, detail: str, status: int, retry_after: str = "", **more: object) -> Fault:
    """Refuse in ACME's words, such as "rateLimited" or "caa"."""
    problem = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}
    headers = {"Content-Type": "application/problem+json"}
    headers |= {"Retry-After": retry_after} if retry_after else {}
    return lambda _, __: Reply(status, json.dumps(problem | more).encode(), headers)


def refuse_replaces(kind: str, status: int) -> Fault:
    """Refuse an order only for being a renewal, as after an account change."""
    refused = refuse(kind, "the certificate to replace isn't this account's", status)
    return lambda sent, onward: (
        refused(sent, onward) if (sent.payload or {}).get("replaces") else onward()
    )


def reply(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer with just this; underscores in the headers' names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, __: Reply(status, body, named)


def as_it_comes(_: Sent, onward: Onward) -> Reply:
    """Do nothing to it; the next of its step is broken instead."""
    return onward()


def cut_before(_: Sent, __: Onward) -> Reply:
    """End the connection before the CA hears of the request."""
    raise Cut


def cut_after(_: Sent, onward: Onward) -> Reply:
    """Let the CA do what it was asked, and end the connection instead of saying so."""
    onward()
    raise Cut


def edited(edit: Callable[[dict[str, Any]], object], **headers: str) -> Fault:
    """Pass the CA's JSON through a function that changes it in place."""

    def fault(_: Sent, onward: Onward) -> Reply:
        answer = onward()
        edit(document := json.loads(answer.body))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(
            answer, body=json.dumps(document).encode(), headers={**answer.headers, **named}
        )

    return fault


def wrong_key(_: Sent, onward: Onward) -> Reply:
    """Send a chain for the right names and another key."""
    answer = onward()
    return replace(answer, body=Authority().issue(*_names(answer.body)).chain_pem)


def wrong_name(_: Sent, onward: Onward) -> Reply:
    """Send a chain for the right key and another name."""
    answer = onward()
    key = cast(ec.EllipticCurvePublicKey, leaf(answer.body).public_key())
    return replace(answer, body=Authority().certify(key, "other.example.net"))


@contextmanager
def between(pebble: Pebble) -> Iterator[Faulty]:
    """Stand before a CA until the block ends; to its clients it is the CA."""
    faulty = Faulty(pebble)
    with ExitStack() as stack:
        trust = ssl.create_default_context(cafile=pebble.ca_file)
        onward = stack.enter_context(httpx.Client(verify=trust, timeout=60))
        server = _Server(faulty, onward)
        stack.callback(server.server_close)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        stack.callback(faulty.ending.set)
        faulty.directory = f"https://127.0.0.1:{server.server_port}/dir"
        yield faulty


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, faulty: Faulty, onward: httpx.Client) -> None:
        self.faulty = faulty
        self.onward = onward
        super().__init__(("127.0.0.1", 0), _Request)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(faulty.pebble.api_chain, faulty.pebble.api_key)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up; tell of all else."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(cast(Any, request), client_address)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Head and body are two writes, and the second would wait 40 ms for the first's acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        server = cast(_Server, self.server)
        sent = self._sent()
        onward = functools.partial(self._onward, sent, server)
        fault = server.faulty.take(sent)
        try:
            self._answer(fault(sent, onward) if fault else onward())
        except Cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    do_HEAD = do_POST = do_GET  # noqa: N815 - http.server's names

    def _sent(self) -> Sent:
        step: Step = next((of for path, of in _PATHS if re.fullmatch(path, self.path)), "other")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name != "Content-Length"}
        return Sent(step, self.command, self.path, headers, body, _payload(body))

    def _onward(self, sent: Sent, server: _Server) -> Reply:
        # With the Host that the client named, so that Pebble's URLs lead through here.
        url = server.faulty.pebble.directory.removesuffix("/dir") + sent.path
        answer = server.onward.request(sent.method, url, content=sent.body, headers=sent.headers)
        return Reply(answer.status_code, answer.content, dict(answer.headers))

    def _answer(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _payload(body: bytes) -> Any:
    try:
        payload = json.loads(body)["payload"]
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, LookupError, TypeError):
        return None


def _names(chain_pem: bytes) -> list[str]:
    extensions = leaf(chain_pem).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)
