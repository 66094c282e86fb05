"""uvicorn's own HTTP protocol with two bounds that it lacks: of a request's head, and of silence.

A sweep once a second closes the connections that are idle: slow or silent clients cost a worker
next to nothing.
"""

import asyncio
from collections.abc import Collection
from typing import Any, Final, Protocol

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

MAX_HEAD: Final = (
    32 * 1024
)  # bytes of request line and headers, and of what an answered one still sends
MAX_IDLE: Final = 10  # seconds without a complete request, then without the next one


class Connection(Protocol):
    """What the book holds."""

    seen: int

    def idle(self) -> bool:
        """Tell whether nothing is being answered."""

    def drop(self) -> None:
        """Close the connection."""


class Book:
    """The connections of one worker. `now` counts seconds: a clock that costs nothing to read."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: Collection[Any],
        max_idle: int = MAX_IDLE,
    ) -> None:
        """Sweep the connections that uvicorn's `ServerState` knows, each of them a Connection."""
        self.now = 0
        self._open: Collection[Connection] = connections
        self._loop = loop
        self._max_idle = max_idle
        self._headers: list[tuple[bytes, bytes]] = []
        self._lines = b""
        self._next = loop.call_later(1, self.sweep)

    def lines(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Return uvicorn's default headers, of which it makes a new list every second, as lines."""
        if headers is not self._headers:
            self._headers = headers
            self._lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        return self._lines

    def sweep(self) -> None:
        """Let a second pass, and close what has been idle for too long."""
        self.now += 1
        oldest = self.now - self._max_idle
        for connection in [c for c in self._open if c.seen < oldest and c.idle()]:
            connection.drop()
        self._next = self._loop.call_later(1, self.sweep)

    def close(self) -> None:
        """Stop sweeping."""
        self._next.cancel()


class BoundedProtocol(HttpToolsProtocol):
    """The reference: uvicorn's protocol, which hands requests to the Starlette application."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._book: Book = app_state["book"]
        self._head = 0  # bytes of headers of the request that is being read
        self._unasked = 0  # bytes since a request was last understood
        self._in_body = False
        self.seen = self._book.now

    def data_received(self, data: bytes) -> None:
        """Refuse a head that doesn't end (RFC 6585 §5), drop a body that nobody waits for."""
        self.seen = self._book.now
        self._unasked += len(data)
        super().data_received(data)
        if self._unasked > MAX_HEAD and self.idle():
            self.send_400_response("")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header; raise, which llhttp takes for a bad request, where they are too long."""
        self._head += len(name) + len(value)
        if self._head > MAX_HEAD:
            raise ValueError("the head of the request is too long")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._head = self._unasked = 0
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong with a request, and close."""
        if self.transport.is_closing():
            return
        if max(self._head, self._unasked) <= MAX_HEAD:
            super().send_400_response(msg)
            return
        if not self._in_body:
            date = self._book.lines(self.server_state.default_headers)
            end = b"content-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[431] + date + end)
        self.transport.close()

    def idle(self) -> bool:
        """Tell whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def drop(self) -> None:
        """Close the connection without a word."""
        self.transport.close()
