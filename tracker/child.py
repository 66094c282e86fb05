"""A child of the supervisor: how it is told to stop, and what it does beside its work."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

# Objects that are made and not yet freed until Python looks for cycles among them. What is made of
# a hit has none, and thousands are held at a time: after each 700, Python's own number, looking
# takes 8 % of an office's time and 14 % of a consumer's.
LOOK_FOR_CYCLES_AFTER: Final = 20_000
# Seconds that a thread has for itself. With Python's own 5 ms, storing took 4 % longer than the
# processor had to do for it, with this 2 % less: some of it is done side by side.
TURN: Final = 0.000_5


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


def take_turns_often() -> None:
    """Have threads of Python give way to each other sooner.

    A thread that comes back from the database waits until another one, which makes the next batch
    ready, gives way.
    """
    sys.setswitchinterval(TURN)


def look_for_cycles_seldom() -> None:
    """Have Python look for cycles once for thousands of events."""
    gc.set_threshold(LOOK_FOR_CYCLES_AFTER)


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
