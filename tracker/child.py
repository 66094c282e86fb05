"""A child of the supervisor: how it is told to stop, and what it does beside its work."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: it answers until the work is done."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def server(application: ASGIApp, answer_within: int) -> Server:
    """Return a server that says nothing of itself.

    `answer_within` is how many seconds requests have that are being answered when it ends.
    """
    return Server(
        uvicorn.Config(
            application,
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=answer_within,
        )
    )


def told_to_stop() -> asyncio.Event:
    """Return what is set once a signal says to stop, or the end of standard input: no parent."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def orphaned() -> None:
        loop.remove_reader(sys.stdin.fileno())
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_reader(sys.stdin.fileno(), orphaned)
    return stopping
