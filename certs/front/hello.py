"""The ClientHello: what a client says before any cryptography (RFC 8446 §4.1.2).

In: bytes as they arrive, however they are cut. Out: the server's name and the application
protocols that the client asks for. Promised: every byte is looked at once, no more than
MAX_RECEIVED of them are kept, and whatever comes, the result is a hello or one of two exceptions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from certs.front.alert import Alert

MAX_MESSAGE: Final = 16 * 1024  # bytes; with post-quantum key shares a browser's takes 2 kB
MAX_RECEIVED: Final = (
    32 * 1024
)  # bytes on the wire until the hello is whole, record headers and all
RECORD_HEADER: Final = 5
MAX_RECORD: Final = 16 * 1024  # RFC 8446 §5.1

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0  # RFC 6066 §3
_HOST_NAME: Final = 0
_ALPN: Final = 16  # RFC 7301 §3.1
_VERSION_AND_RANDOM: Final = 2 + 32
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


class NotTls(Exception):
    """The client doesn't speak TLS; `received` is what it said instead."""

    def __init__(self, received: bytes) -> None:
        super().__init__("the first bytes are not a TLS record")
        self.received = received


class BadHello(Exception):
    """The client speaks TLS, but not so that a hello comes of it; `alert` is what to tell it."""

    def __init__(self, why: str, alert: Alert = Alert.DECODE_ERROR) -> None:
        super().__init__(why)
        self.alert = alert


@dataclass(frozen=True, slots=True)
class ClientHello:
    """`name` is in lower case, and empty where the client names no host or none that could be."""

    name: str
    protocols: tuple[bytes, ...]


class HelloReader:
    """Collects records until they hold a hello. `received` is all that came, for the handshake."""

    __slots__ = ("_at", "_message", "received")

    def __init__(self) -> None:
        self.received = bytearray()
        self._message = bytearray()
        self._at = 0  # where the next record begins

    def feed(self, data: bytes) -> ClientHello | None:
        """Return the hello once it is whole, None until then; raise NotTls or BadHello."""
        self.received += data
        while (fragment := self._fragment()) is not None:
            self._message += fragment
            if self._whole():
                return parse(bytes(self._message))
        if len(self.received) > MAX_RECEIVED:
            raise BadHello("a hello that doesn't end")
        return None

    def _fragment(self) -> bytes | None:
        received, at = self.received, self._at
        if len(received) > at and received[at] != _HANDSHAKE:
            if at:
                raise BadHello("another record within the hello", Alert.UNEXPECTED_MESSAGE)
            raise NotTls(bytes(received))
        if len(received) < at + RECORD_HEADER:
            return None
        length = int.from_bytes(received[at + 3 : at + RECORD_HEADER])
        if received[at + 1] != 3 or not 0 < length <= MAX_RECORD:
            raise BadHello("a record that TLS doesn't have")
        end = at + RECORD_HEADER + length
        if len(received) < end:
            return None
        self._at = end
        return bytes(received[at + RECORD_HEADER : end])

    def _whole(self) -> bool:
        message = self._message
        if message[0] != _CLIENT_HELLO:
            raise BadHello("another message instead of a hello", Alert.UNEXPECTED_MESSAGE)
        if len(message) < 4:
            return False
        length = int.from_bytes(message[1:4])
        if length > MAX_MESSAGE:
            raise BadHello("a hello too long to be one")
        return len(message) >= 4 + length


def parse(message: bytes) -> ClientHello:
    """Read a whole ClientHello message; raise BadHello where its lengths don't fit together.

    What else it may hold is OpenSSL's to judge, which reads the same bytes afterwards.
    """
    try:
        return _parse(message, 4 + _VERSION_AND_RANDOM, 4 + int.from_bytes(message[1:4]))
    except IndexError as error:
        raise BadHello("a length that leads out of the hello") from error


def _parse(message: bytes, at: int, end: int) -> ClientHello:
    at += 1 + message[at]  # session id
    at += 2 + (message[at] << 8 | message[at + 1])  # cipher suites
    at += 1 + message[at]  # compression methods
    name = ""
    protocols: tuple[bytes, ...] = ()
    at += 2  # the extensions' length, unless TLS 1.2 has none
    # No call an extension: this runs before anything is known of who asks (9 of 500 us).
    while at < end:
        kind = message[at] << 8 | message[at + 1]
        begin = at + 4
        at = begin + (message[at + 2] << 8 | message[at + 3])
        if at > end:
            raise IndexError
        if kind == _SERVER_NAME:
            name = _host_name(_vector(message[begin:at], 0, 2)[0])
        elif kind == _ALPN:
            protocols = tuple(_vectors(_vector(message[begin:at], 0, 2)[0], 1))
    return ClientHello(name, protocols)


def _host_name(names: bytes) -> str:
    at = 0
    while at < len(names):
        kind = names[at]
        content, at = _vector(names, at + 1, 2)
        if kind == _HOST_NAME:
            # RFC 6066 has no dot at the end; some clients send it all the same.
            name = content.decode("latin-1").lower().removesuffix(".")
            return name if _NAME.fullmatch(name) else ""
    return ""


def _vectors(data: bytes, width: int) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        content, at = _vector(data, at, width)
        yield content


def _vector(data: bytes, at: int, width: int) -> tuple[bytes, int]:
    """Return what a length of `width` bytes at `at` spans, and where it ends (RFC 8446 §3.4)."""
    begin = at + width
    end = begin + int.from_bytes(data[at:begin])
    if end > len(data):
        raise BadHello("a length that leads out of the hello")
    return data[begin:end], end
