"""One edge worker: a process that answers on sockets it inherited and writes a spool of its own.

    python -m tracker.edge.worker

The first line on standard input is its settings as JSON. Its end means that the parent is gone: the
worker drains and exits, as on SIGTERM.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
import uvicorn
import uvloop

from rewriter.keyring import Keyring, KeyringError
from tracker import logs
from tracker.counters import Counter, Counters
from tracker.domains import TrackingDomain
from tracker.edge.answer import Edge
from tracker.edge.app import application
from tracker.edge.bounded import MAX_IDLE, Book, BoundedProtocol
from tracker.edge.certificates import Certificates
from tracker.edge.domains import Domains
from tracker.edge.front import Front
from tracker.edge.settings import WorkerSettings
from tracker.edge.trusted import TrustedProxies
from tracker.edge.wellknown import WellKnown
from tracker.published import Published
from tracker.segments import Segments
from tracker.spool import Spool

DRAIN: Final = 8.0  # seconds for requests that are being answered
FLUSH: Final = 5.0  # seconds for hits that wait for the disk

logger = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """uvicorn's server, but a signal only asks it to drain, and a drained worker exits with 0.

    It answers on the `tls` sockets, too, if it has any; `door` makes their connections' protocols.
    `ready` is called once it listens and heeds signals.
    """

    ready: Callable[[], object]

    tls: Sequence[socket.socket] = ()
    door: Callable[[], asyncio.Protocol]
    _signalled = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on every socket; those for TLS are drained and closed with the others."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        for listener in self.tls:
            self.servers.append(
                await loop.create_server(self.door, sock=listener, backlog=self.config.backlog)
            )
        self.ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on the first SIGTERM or SIGINT, leave at once on the second."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Stop accepting and answer what was asked; leave at once if told so again."""
        self.force_exit = self._signalled
        self.should_exit = self._signalled = True

    def orphaned(self) -> None:
        """Drain, since whoever started this worker is gone."""
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self.should_exit = True


def main() -> None:
    """Read the settings and answer until told to stop."""
    line = sys.stdin.buffer.readline()
    try:
        settings = msgspec.json.decode(line, type=WorkerSettings)
    except msgspec.MsgspecError as error:
        sys.exit(f"the edge worker's settings on standard input are not what it takes: {error}")
    logs.configure(settings.log_format)
    try:
        keyring = Keyring.load(settings.keyring)
    except KeyringError as error:
        sys.exit(str(error))
    segments = Segments(Path(settings.spool), settings.segment_bytes)
    uvloop.run(serve(settings, keyring, segments, begun(segments)))


def begun(segments: Segments) -> Counters:
    """Begin the spool and return where to count.

    Where that fails, readers are answered all the same, and every write tries again to begin.
    """
    try:
        counters = Counters.create(segments.begin())
    except OSError as error:
        logger.error("spool_failing", extra={"reason": str(error)})
        counters = Counters.unmapped()
    if segments.begun:
        segments.prepare()  # only now: it would take the counters' room for a moment
    return counters


async def serve(
    settings: WorkerSettings, keyring: Keyring, segments: Segments, counters: Counters
) -> None:
    """Answer on the inherited sockets until told to stop; write every hit that still waits."""
    loop = asyncio.get_running_loop()
    spool = Spool(
        segments, counters, late_after=settings.late_after, queue_limit=settings.queue_limit
    )
    certificates = Certificates(Path(settings.certificates), Path(settings.master_key))
    published = Published(Path(settings.published))

    def registered() -> Mapping[str, TrackingDomain]:
        return published.current().tracking

    domains = Domains(keyring, settings.tracking_domains, published.current)
    state: dict[str, Any] = {
        "edge": Edge(domains, spool, counters, registered=registered),
        "trusted": TrustedProxies(settings.trusted_proxies),
        "well_known": WellKnown(registered, certificates.thumbprints),
    }

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[dict[str, Any]]:
        yield state

    protocol = Front if settings.protocol == "front" else BoundedProtocol
    config = uvicorn.Config(
        application(lifespan),
        http=protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="error",
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=MAX_IDLE,
        timeout_graceful_shutdown=int(DRAIN),
    )
    server = Server(config)
    book = state["book"] = Book(loop, server.server_state.connections)
    if settings.tls_listen_fds:
        from tracker.edge import tls  # noqa: PLC0415 - a worker without TLS is spared its memory

        server.tls = [socket.socket(fileno=number) for number in settings.tls_listen_fds]
        server.door = tls.door(
            certificates,
            lambda: protocol(config, server.server_state, state),
            server.server_state.connections,
            book,
            counters,
        )
    loop.add_reader(sys.stdin.fileno(), server.orphaned)
    told = {"pid": os.getpid(), "stream": segments.folder.name}
    server.ready = lambda: logger.info("worker_started", extra=told)
    counters.cells[Counter.STARTED_AT] = int(time.time())
    telling = loop.create_task(_tell(counters))
    # Objects that live as long as the worker are none of the collector's business.
    gc.collect()
    gc.freeze()
    try:
        await server.serve([socket.socket(fileno=number) for number in settings.listen_fds])
    finally:
        telling.cancel()
        book.close()
        await spool.close(FLUSH)
        logger.info("worker_stopped", extra=told)


async def _tell(counters: Counters) -> None:
    """Show once a second that the event loop still turns."""
    while True:
        counters.cells[Counter.TOLD_AT] = int(time.time())
        await asyncio.sleep(1)


if __name__ == "__main__":
    main()
