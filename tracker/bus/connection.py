"""A connection to the bus: one server, one life.

In: an Address. Out: a Connection that publishes, subscribes and asks, or BusUnavailable with a
sentence for an operator.

nats-py would reconnect by itself, but what it keeps meanwhile is what we would offer again anyway,
and requests for messages get lost on the way (nats.py#504, #933). So whatever ends a connection
ends it for good, and its user opens another.
"""

import asyncio
import contextlib
import os
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error, NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from tracker.bus.address import Address
from tracker.bus.identity import Identity, InClear, Unreadable, read

CONNECT_WITHIN: Final = 3.0  # seconds a server
# Seconds a question. While a cluster has no leader it drops questions; asking again is quicker.
ANSWER_WITHIN: Final = 2.0
CLOSE_WITHIN: Final = 1.0  # seconds; a server that hangs takes nothing any more
# A server that shows no life for three of them is gone, whatever TCP says.
PING_EVERY: Final = 5
PINGS_UNANSWERED: Final = 2

Answer = TypeVar("Answer")


class BusUnavailable(Exception):
    """The bus can't be used now; the message says why, in a sentence."""


class ApiError(BusUnavailable):
    """JetStream refuses what was asked of it. `code` is its own number of the reason."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class _Refusal(msgspec.Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Answered(msgspec.Struct, frozen=True):
    error: _Refusal | None = None


_answered = msgspec.json.Decoder(_Answered)


class Connection:
    """What is open until it ends. Open it with `Connection.open`."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._told: list[asyncio.Event] = []
        self._said = ""
        self._client = _Client()

    @classmethod
    async def open(cls, address: Address, name: str) -> Self:
        """Connect to one of the servers, by chance. `name` is what the server shows of us.

        Raises BusUnavailable.
        """
        try:
            identity = await asyncio.to_thread(read, address.access)
        except Unreadable as error:
            raise BusUnavailable(str(error)) from error
        failures: dict[str, str] = {}
        for host in random.sample(address.hosts, len(address.hosts)):
            connection = cls(host)
            try:
                await connection._connect(identity, name)
            except BusUnavailable as error:
                failures[host] = str(error)
            else:
                return connection
        # In the order of the settings: what is said again and again is logged once.
        said = "; ".join(f"{host} {failures[host]}" for host in address.hosts)
        raise BusUnavailable(f"the bus can't be reached: {said}")

    @property
    def max_payload(self) -> int:
        """The most bytes that a message may have, its headers included."""
        return self._client.max_payload

    @property
    def why(self) -> str:
        """What the server said last against us, to be put behind a sentence."""
        return f": {self._said}" if self._said else ""

    def tell(self, event: asyncio.Event) -> None:
        """Have an event set when the connection ends, for whoever waits for something of it."""
        self._told.append(event)

    def check(self) -> None:
        """Raise BusUnavailable if the connection has ended."""
        if self._client.is_closed:
            raise BusUnavailable(f"the connection to {self.host} ended{self.why}")

    async def publish(
        self,
        subject: str,
        body: bytes,
        *,
        reply: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send a message, or have it sent shortly. Raises BusUnavailable."""
        try:
            await self._client.publish(subject, body, reply=reply, headers=headers)
        except (Error, OSError) as error:
            self.check()
            raise BusUnavailable(f"{self.host} can't be written to: {_said(error)}") from error

    async def subscribe(self, take: Callable[[Msg], Awaitable[None]]) -> "Inbox":
        """Have what comes to an inbox of our own taken. Raises BusUnavailable."""
        name = self._client.new_inbox()
        try:
            # No limits: what is on its way is bounded by what we asked for.
            subscription = await self._client.subscribe(
                f"{name}.*", cb=take, pending_msgs_limit=0, pending_bytes_limit=0
            )
            return Inbox(name, subscription)
        except (Error, OSError) as error:
            self.check()
            raise BusUnavailable(f"{self.host} can't be written to: {_said(error)}") from error

    async def ask(
        self,
        what: str,
        question: Mapping[str, Any] | None,
        kind: type[Answer],
        within: float | None = None,
    ) -> Answer:
        """Ask JetStream, such as `STREAM.INFO.EVENTS`. Raises ApiError and BusUnavailable.

        It has `within` seconds, ANSWER_WITHIN unless told otherwise.
        """
        within = ANSWER_WITHIN if within is None else within
        body = msgspec.json.encode(question) if question else b""
        try:
            answer = await self._client.request(f"$JS.API.{what}", body, timeout=within)
            if (refused := _answered.decode(answer.data).error) is not None:
                raise ApiError(refused.err_code, refused.description)
            return msgspec.json.decode(answer.data, type=kind)
        except NoRespondersError as error:
            raise BusUnavailable(
                f"JetStream doesn't answer at {self.host}: it is turned off there, or has no leader"
            ) from error
        except NatsTimeout as error:
            self.check()
            raise BusUnavailable(
                f"JetStream doesn't answer at {self.host} within {within:g} s{self.why}"
            ) from error
        except (Error, OSError, msgspec.MsgspecError) as error:
            self.check()
            raise BusUnavailable(f"JetStream at {self.host}: {_said(error)}") from error

    async def close(self) -> None:
        """End it; what waits to be sent is sent if that is quick."""
        with contextlib.suppress(TimeoutError, Error, OSError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._client.close()
                return
        # nats-py waits for a server that reads nothing, and has no other way out of that.
        if transport := self._client._transport:
            transport.close()  # type: ignore[no-untyped-call]  # nats-py has no types there

    async def _connect(self, identity: Identity, name: str) -> None:
        connected = False
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await self._client.connect(
                    servers=[f"nats://{self.host}"],
                    name=name,
                    error_cb=self._note,
                    closed_cb=self._end,
                    allow_reconnect=False,
                    connect_timeout=CONNECT_WITHIN,  # type: ignore[arg-type]  # a float does as well
                    reconnect_time_wait=0,
                    max_reconnect_attempts=1,
                    ping_interval=PING_EVERY,
                    max_outstanding_pings=PINGS_UNANSWERED,
                    pending_size=0,  # publishing while disconnected is an error, not a promise
                    **identity.options(self._in_clear),
                )
            identity.check(self._in_clear())
            connected = True
        except InClear as error:
            raise BusUnavailable("speaks no TLS, which is demanded of it") from error
        except (Error, OSError, TimeoutError) as error:
            silent = f"doesn't answer within {CONNECT_WITHIN:g} s"
            raise BusUnavailable(self._said or _said(error) or silent) from error
        finally:
            if not connected:
                await self.close()

    def _in_clear(self) -> bool:
        # nats-py goes on in the clear where a server doesn't ask for TLS, and has no option
        # against that: the server's own word is all there is, before a password is sent.
        return not self._client._server_info.get("tls_required", False)

    async def _note(self, error: Exception) -> None:
        self._said = _said(error)

    async def _end(self) -> None:
        for event in self._told:
            event.set()


class _Client(Client):
    """nats-py's, but that headers of messages stay unread.

    Nobody here asks for them, and reading them, letter by letter, is a twentieth of what a consumer
    does. A status is none of them; it is told as ever.
    """

    @staticmethod
    def _parse_header_lines(_raw: bytes) -> dict[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Inbox:
    """Where answers come to: `name` with a dot and a word behind it."""

    name: str
    _subscription: Subscription

    async def close(self) -> None:
        """Have nothing more sent there, and what was sent taken. Raises BusUnavailable."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._subscription.drain()  # type: ignore[no-untyped-call]  # nats-py has no types there
        except (Error, OSError, TimeoutError) as error:
            raise BusUnavailable(f"the connection ended: {_said(error)}") from error


def _said(error: BaseException) -> str:
    """Say a client's error without its own prefixes."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that isn't trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.errno:
        return f"refuses: {os.strerror(error.errno)}"  # asyncio has words of its own
    if isinstance(error, ConnectionError):
        return "ends the connection"  # in the middle of a handshake, of which asyncio says nothing
    text = str(error).removeprefix("nats: ").strip().strip("'")
    if "authorization violation" in text.lower():
        return "lets nobody in with this user, password, token or credentials"
    return text
