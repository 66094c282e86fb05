"""The protocol in front: answers plain opens and clicks itself, hands everything else to uvicorn.

A plain request is a complete `GET /o/`, `GET /c/` or `GET /a/` of HTTP/1.1, in one read, with a
good token and without a body, a repeated header or anything else out of the ordinary. It is
answered by the same `Edge` as in the Starlette application, without a scope, a task and a response
object: what they cost is most of a request. Any doubt, and the bytes go to uvicorn's protocol
untouched.

llhttp parses, here as there. `tests/tracker/edge/test_alike.py` holds the two against each other.
"""

import asyncio
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from rewriter import tokens
from tracker.edge.answer import Answer, Asked, Edge
from tracker.edge.bounded import Book, BoundedProtocol
from tracker.edge.trusted import TrustedProxies

PLAIN: Final = {b"GET /o/": tokens.OPEN, b"GET /c/": tokens.CLICK, b"GET /a/": tokens.CLICK}
END: Final = b"\r\n\r\n"
MAX_PLAIN: Final = 16 * 1024  # bytes of a plain request
MAX_EARLY: Final = 64 * 1024  # bytes that a client may send ahead of its answer
GRACE: Final = 0.5  # seconds in which a new connection may still ask while the worker stops
# Headers that change what a request is, or how its answer is framed.
UNUSUAL: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"te", b"trailer")
)


class Front(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_address",
        "_answer",
        "_app_state",
        "_asked",
        "_book",
        "_closing",
        "_complete",
        "_config",
        "_early",
        "_edge",
        "_headers",
        "_keep_alive",
        "_parser",
        "_state",
        "_transport",
        "_trusted",
        "_url",
        "seen",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._edge: Edge = app_state["edge"]
        self._book: Book = app_state["book"]
        self._trusted: TrustedProxies = app_state["trusted"]
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._answer: Answer | None = None
        self._asked = False
        self._closing = False
        self._early = b""
        self.seen = self._book.now

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP
        """Enter the connection where uvicorn finds it, and the sweep."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._state.connections.add(self)  # type: ignore[arg-type]  # it asks for no more than we have

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Forget the connection; a hit that is on its way to the disk stays on it."""
        self._leave()
        self._answer = None
        self._early = b""
        del self._parser  # it holds this protocol: a cycle that only the collector would break

    def data_received(self, data: bytes) -> None:
        """Answer a plain request, hand over any other."""
        self.seen = self._book.now
        self._asked = True
        if self._answer is not None:
            self._keep(data)
        elif not self._taken(data):
            self._hand_over(data)

    # What llhttp calls.

    def on_url(self, url: bytes) -> None:
        """Collect the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers.append((name.lower(), value))

    def on_message_complete(self) -> None:
        """Count a request, and ask llhttp while it still knows whether this was the last."""
        self._complete += 1
        self._keep_alive = self._parser.should_keep_alive()

    # What uvicorn and the sweep call.

    def shutdown(self) -> None:
        """Let a pending answer go out; give a connection that was just accepted time to ask."""
        self._closing = True
        if not self._asked:
            asyncio.get_running_loop().call_later(GRACE, self.drop)
        elif self.idle():
            self._transport.close()

    def idle(self) -> bool:
        """Tell whether nothing is being answered."""
        return self._answer is None

    def drop(self) -> None:
        """Close the connection if nothing is being answered."""
        if self._answer is None:
            self._transport.close()

    # One request.

    def _taken(self, data: bytes) -> bool:
        """Answer a plain request; refuse any other, with nothing answered and nothing counted."""
        kind = PLAIN.get(data[:7])
        if kind is None or not data.endswith(END) or len(data) > MAX_PLAIN:
            return False
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._complete = 0
        parser = self._parser
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        headers = dict(self._headers)
        if (
            self._complete != 1
            or len(headers) != len(self._headers)
            or not UNUSUAL.isdisjoint(headers)
            or parser.get_http_version() != "1.1"
        ):
            return False
        address = self._trusted.client(self._address, headers.get(b"x-forwarded-for", b""))
        host = headers.get(b"host", b"")
        good = self._edge.good(kind, Asked("GET", self._url[3:], host, headers, address))
        if good is None:
            return False
        self._answer, record = good
        if not self._keep_alive:
            self._closing = True
        self._edge.spool.add(record, self._respond)
        return True

    def _respond(self) -> None:
        """Write the answer, byte for byte as uvicorn would, then turn to what came meanwhile."""
        answer, self._answer = self._answer, None
        transport = self._transport
        if answer is None or transport.is_closing():
            return
        date = self._book.lines(self._state.default_headers)
        end = b"connection: close\r\n\r\n" if self._closing else b"\r\n"
        transport.write(answer.status_line + date + answer.head + end + answer.body)
        if self._closing:
            transport.close()
        elif self._early:
            early, self._early = self._early, b""
            if len(early) > MAX_EARLY:
                transport.resume_reading()
            self.data_received(early)

    def _keep(self, data: bytes) -> None:
        """Keep what a client sends ahead of its answer: no request overtakes another."""
        self._early += data
        if len(self._early) > MAX_EARLY:
            self._transport.pause_reading()

    def _hand_over(self, data: bytes) -> None:
        """Let uvicorn's protocol go on, from the first byte of this request."""
        self._leave()
        del self._parser
        protocol = BoundedProtocol(self._config, self._state, self._app_state)
        protocol.connection_made(self._transport)
        self._transport.set_protocol(protocol)
        protocol.data_received(data)
        if self._closing:
            protocol.shutdown()

    def _leave(self) -> None:
        self._state.connections.discard(self)
