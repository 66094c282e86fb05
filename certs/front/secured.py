"""TLS as a transport: the protocol inside it reads and writes plain bytes, as on a socket.

asyncio's own TLS can't be given a context that depends on the hello, nor the bytes of a hello that
was read already. Python's `ssl` does the work here, too; this moves bytes between its buffers.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from typing import Any, Final

MAX_READ: Final = 64 * 1024
# Bytes of answers that a client may leave unread while it goes on sending; TLS itself answers, too,
# for instance to key updates.
MAX_UNREAD: Final = 1 << 20


class Secured(asyncio.Transport, asyncio.Protocol):
    """An established session: transport to the protocol inside, protocol of the transport below.

    Closing says so to the client (RFC 8446 §6.1) and doesn't wait for its reply, so that no client
    can hold up a worker that drains.
    """

    def __init__(
        self,
        below: asyncio.Transport,
        session: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
    ) -> None:
        super().__init__()
        self._below = below
        self._session = session
        self._incoming = incoming
        self._outgoing = outgoing
        self._inside: asyncio.Protocol
        self._closing = False
        self._paused = False

    def begin(self, inside: asyncio.Protocol) -> None:
        """Connect the protocol inside; give it what came together with the handshake's end."""
        self._inside = inside
        self._below.set_protocol(self)
        inside.connection_made(self)
        self._deliver()

    # What the transport below calls.

    def data_received(self, data: bytes) -> None:
        """Decrypt."""
        self._incoming.write(data)
        self._deliver()

    def eof_received(self) -> bool | None:
        """Tell the protocol inside; the connection closes unless it asks to keep its half."""
        return self._inside.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the protocol inside."""
        self._closing = True
        self._inside.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell the protocol inside that the client reads too slowly."""
        self._inside.pause_writing()

    def resume_writing(self) -> None:
        """Tell the protocol inside that it may go on."""
        self._inside.resume_writing()

    # What the protocol inside calls.

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Encrypt; buffered below without a bound, as in every asyncio transport."""
        if self._closing or not data:
            return
        try:
            self._session.write(data)
        except ssl.SSLError:  # the client has broken the session
            self.abort()
            return
        self._flush()

    def writelines(self, list_of_data: "Iterable[bytes | bytearray | memoryview[Any]]") -> None:
        """Encrypt all as one."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Say that this is the end, let what was written go out, and close."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(ssl.SSLError):  # "want read": its own end isn't waited for
            self._session.unwrap()
        self._flush()
        self._below.close()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._below.abort()

    def is_closing(self) -> bool:
        """Tell whether nothing more can be written."""
        return self._closing or self._below.is_closing()

    def pause_reading(self) -> None:
        """Leave the client waiting."""
        self._paused = True
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Go on, first with what had been decrypted or received already."""
        self._paused = False
        self._below.resume_reading()
        asyncio.get_running_loop().call_soon(self._deliver)

    def is_reading(self) -> bool:
        """Tell whether data may arrive."""
        return not self._paused and self._below.is_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol go on inside."""
        assert isinstance(protocol, asyncio.Protocol)  # noqa: S101 - TLS has no other kind
        self._inside = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol inside."""
        return self._inside

    def get_write_buffer_size(self) -> int:
        """Return how much waits for the client to read it, encrypted."""
        return self._below.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Choose when the protocol inside is told to pause."""
        self._below.set_write_buffer_limits(high, low)

    def can_write_eof(self) -> bool:
        """TLS has no half-closed connections that HTTP could use."""
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Tell of the session, or of the connection below."""
        if name == "sslcontext":
            return self._session.context
        if name == "ssl_object":
            return self._session
        return self._below.get_extra_info(name, default)

    # Both ways.

    def _deliver(self) -> None:
        """Give the protocol inside all that can be decrypted."""
        session, incoming = self._session, self._incoming
        try:
            while not (self._paused or self._closing) and (incoming.pending or session.pending()):
                data = session.read(MAX_READ)
                if not data:  # the client has said that this is the end
                    if not self._inside.eof_received():
                        self.close()
                    break
                self._inside.data_received(data)
        except ssl.SSLWantReadError:  # a record that isn't whole yet
            pass
        except ssl.SSLError:  # forged or broken: OpenSSL has written the alert
            self._closing = True
            self._flush()
            self._below.close()
        self._flush()
        if self._below.get_write_buffer_size() > MAX_UNREAD:
            self.abort()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._below.write(self._outgoing.read())
