"""One GET to one address: what a server there answers, or why it doesn't.

Promise: connects to the address it is given and to nothing else, follows no redirect, reads no
more than `MOST` bytes of headers and of body, takes no longer than `PATIENCE` seconds, and raises
nothing but what is named here.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import h11

CONNECTING: Final = 5.0
PATIENCE: Final = 10.0
MOST: Final = 16_384
# Named, so that an operator finds the doctor in a log.
AGENT: Final = "tracking-edge-doctor"

Reason = Literal["refused", "timeout", "unreachable", "garbled"]


class Unanswered(Exception):
    """No HTTP answer came; `reason` tells why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are lower case, of repeated ones the first counts."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Connection:
    """An open one, to an address that was checked before."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def get(self, host: str, path: str) -> Answer:
        """Ask for a path; raise Unanswered."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._get(host, path)
        except TimeoutError as error:
            raise Unanswered("timeout") from error
        except (h11.RemoteProtocolError, ssl.SSLError, OSError) as error:
            raise Unanswered("garbled") from error

    async def _get(self, host: str, path: str) -> Answer:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST)
        fields = [("Host", host), ("User-Agent", AGENT), ("Connection", "close")]
        self.writer.write(http.send(h11.Request(method="GET", target=path, headers=fields)) or b"")
        self.writer.write(http.send(h11.EndOfMessage()) or b"")
        await self.writer.drain()
        response, body = None, bytearray()
        while len(body) < MOST:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await self.reader.read(MOST))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif not isinstance(event, h11.InformationalResponse):
                break
        if response is None:
            raise Unanswered("garbled")
        return Answer(response.status_code, _headers(response), bytes(body[:MOST]))

    def close(self) -> None:
        """Let go at once: a stranger's server need not agree to the end of TLS."""
        self.writer.transport.abort()


def _headers(response: h11.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return headers


async def connect(
    address: str, port: int, context: ssl.SSLContext | None = None, name: str | None = None
) -> Connection:
    """Connect to an IP address, by TLS if a context is given; raise Unanswered or ssl.SSLError."""
    try:
        async with asyncio.timeout(CONNECTING):
            return Connection(
                *await asyncio.open_connection(
                    address, port, ssl=context, server_hostname=name if context else None
                )
            )
    except TimeoutError as error:
        raise Unanswered("timeout") from error
    except ssl.SSLError:
        raise
    except ConnectionRefusedError as error:
        raise Unanswered("refused") from error
    except ConnectionError as error:
        raise Unanswered("garbled") from error
    except OSError as error:
        raise Unanswered("unreachable") from error


async def get(address: str, port: int, host: str, path: str) -> Answer:
    """Ask an address for a path by plain HTTP; raise Unanswered."""
    connection = await connect(address, port)
    try:
        return await connection.get(host, path)
    finally:
        connection.close()
