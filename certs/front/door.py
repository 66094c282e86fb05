"""The door of the TLS port: from an accepted connection to an established session, or to a refusal.

A connection stands in the book of connections from its first moment, first as an `Arrival`, then as
the protocol inside: the same sweep bounds it, and the same drain waits for it.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from certs.front.alert import Alert, Outcome, outcome_of
from certs.front.contexts import CHALLENGE, Contexts, Unusable
from certs.front.hello import BadHello, ClientHello, HelloReader, NotTls
from certs.front.secured import Secured

GRACE: Final = 0.5  # seconds in which a handshake may still end while the worker stops
SPOKEN: Final = frozenset((b"http/1.1", b"http/1.0"))  # IANA's ALPN protocol ids

_SENTENCE: Final = b"This port speaks HTTPS: ask again with https:// before the address.\n"
# To a request in plain HTTP (RFC 9110 §15.5.1). A redirect would hide what is wrong.
_SPEAK_HTTPS: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\ncache-control: no-store\r\nconnection: close\r\n\r\n%b"
    % (len(_SENTENCE), _SENTENCE)
)


class Draining(Protocol):
    """The protocol inside."""

    def shutdown(self) -> None:
        """Finish what is being answered, then close."""


class Refused(Exception):
    """No certificate for this hello."""

    def __init__(self, alert: Alert, outcome: Outcome) -> None:
        super().__init__(outcome.name)
        self.alert = alert
        self.outcome = outcome


class Door:
    """What the arrivals at one worker's TLS port have in common; calling it makes the next one.

    `inside` makes the protocol that speaks HTTP, which also has `shutdown`; `book` holds the
    connections and `now` counts seconds, for the sweep; `tell` is told each handshake's outcome.
    """

    def __init__(
        self,
        contexts: Contexts,
        inside: Callable[[], asyncio.Protocol],
        book: set[Any],
        now: Callable[[], int],
        tell: Callable[[Outcome], None],
    ) -> None:
        self.contexts = contexts
        self.inside = inside
        self.book = book
        self.now = now
        self.tell = tell

    def __call__(self) -> "Arrival":
        """Return the protocol of the next connection."""
        return Arrival(self)

    def context(self, hello: ClientHello) -> ssl.SSLContext:
        """Choose the context for a hello; raise Refused or Unusable."""
        if not hello.name:
            raise Refused(Alert.UNRECOGNIZED_NAME, Outcome.NO_NAME)
        if hello.protocols == (CHALLENGE.encode(),):  # RFC 8737 §3: it asks for nothing besides
            chosen = self.contexts.challenge(hello.name)
            if chosen is None:
                raise Refused(Alert.NO_APPLICATION_PROTOCOL, Outcome.NOTHING_SHARED)
            return chosen
        chosen = self.contexts.ordinary(hello.name)
        if chosen is None:
            raise Refused(Alert.UNRECOGNIZED_NAME, Outcome.UNKNOWN_NAME)
        if hello.protocols and SPOKEN.isdisjoint(hello.protocols):
            # RFC 7301 §3.2; a client of another protocol must not mistake us for its server.
            raise Refused(Alert.NO_APPLICATION_PROTOCOL, Outcome.NOTHING_SHARED)
        return chosen


class Arrival(asyncio.Protocol):
    """A connection until its handshake is done."""

    __slots__ = (
        "_below", "_closing", "_door", "_hello", "_incoming", "_outgoing", "_over", "_session",
        "seen",
    )  # fmt: skip

    def __init__(self, door: Door) -> None:
        self._door = door
        self._below: asyncio.Transport
        self._hello = HelloReader()
        self._session: ssl.SSLObject | None = None
        self._incoming: ssl.MemoryBIO
        self._outgoing: ssl.MemoryBIO
        self._over = False
        self._closing = False
        self.seen = door.now()  # and not again: the hello and the handshake share one bound

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the connection into the book."""
        self._below = cast("asyncio.Transport", transport)
        self._door.book.add(self)

    def data_received(self, data: bytes) -> None:
        """Read the hello, then shake hands."""
        if self._over:
            return
        try:
            session = self._advanced(data)
        except NotTls as error:
            self._refuse(Outcome.NOT_TLS, _SPEAK_HTTPS if error.received[:1].isupper() else b"")
        except BadHello as error:
            self._refuse(Outcome.BAD_HELLO, error.alert.record)
        except Refused as error:
            self._refuse(error.outcome, error.alert.record)
        except Unusable:
            self._refuse(Outcome.UNUSABLE, Alert.INTERNAL_ERROR.record)
        except ssl.SSLError as error:
            self._refuse(outcome_of(error))  # OpenSSL has said why
        except OSError:  # no memory, or no file for a certificate
            self._refuse(Outcome.FAILED, Alert.INTERNAL_ERROR.record)
        else:
            if session is not None:
                self._enter(session)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Forget who left."""
        self._end(Outcome.GONE)

    # What the sweep and uvicorn call.

    def idle(self) -> bool:
        """Tell the sweep that nothing is being answered."""
        return True

    def drop(self) -> None:
        """Close the connection of a client that takes too long."""
        if not self._over:
            self._refuse(Outcome.SLOW)

    def shutdown(self) -> None:
        """Let a handshake that has begun come to its end, and its request be answered."""
        self._closing = True
        asyncio.get_running_loop().call_later(GRACE, self.drop)

    # One handshake.

    def _advanced(self, data: bytes) -> ssl.SSLObject | None:
        """Go on with the handshake; return the session once it is done."""
        if self._session is not None:
            self._incoming.write(data)
        else:
            self._session = self._begun(data)
        if self._session is None:
            return None
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return None
        finally:
            self._below.write(self._outgoing.read())  # with an error, OpenSSL's alert
        return self._session

    def _begun(self, data: bytes) -> ssl.SSLObject | None:
        """Return a session that waits for its first step, None until the hello is whole."""
        hello = self._hello.feed(data)
        if hello is None:
            return None
        chosen = self._door.context(hello)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self._door.contexts.base.wrap_bio(
            self._incoming, self._outgoing, server_side=True
        )
        session.context = chosen
        self._incoming.write(self._hello.received)
        del self._hello
        return session

    def _enter(self, session: ssl.SSLObject) -> None:
        """Let the protocol inside go on."""
        self._end(Outcome.RESUMED if session.session_reused else Outcome.FULL)
        if session.selected_alpn_protocol() == CHALLENGE:
            self._below.close()  # RFC 8737 §3: nothing is said over such a connection
            return
        inside = self._door.inside()
        Secured(self._below, session, self._incoming, self._outgoing).begin(inside)
        if self._closing:
            cast("Draining", inside).shutdown()

    def _refuse(self, outcome: Outcome, last_words: bytes = b"") -> None:
        self._end(outcome)
        if last_words:
            self._below.write(last_words)
        self._below.close()

    def _end(self, outcome: Outcome) -> None:
        if not self._over:
            self._over = True
            self._door.book.discard(self)
            self._door.tell(outcome)
