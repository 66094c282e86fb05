"""Waiting: what the back office answers while something keeps it from starting.

In: the sentence that says what, and the API's sockets. Out: that sentence, to whoever asks, until
it is time to try again. Beside edge workers nobody watches the office's standard error: its health
is where an operator looks.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from tracker import child, health
from tracker.api.answer import Answer, answered, refusal
from tracker.health import Check

AGAIN_AFTER: Final = 5  # seconds
ANSWER_WITHIN: Final = 1  # second for requests that are being answered


async def tell(
    why: str, listeners: Sequence[socket.socket], stopping: asyncio.Event, folder: str
) -> None:
    """Answer on the listeners, which stay open, until it is time to try again, or to stop."""
    server = child.server(told(why, folder), ANSWER_WITHIN)
    # The server closes what it is given.
    serving = asyncio.create_task(server.serve([one.dup() for one in listeners]))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), AGAIN_AFTER)
    server.should_exit = True
    await serving


def told(why: str, folder: str) -> Starlette:
    """Return an API that says why it is none; `folder` is the data folder's mark."""
    says = f"can't start: {why}; tried again every {AGAIN_AFTER} s"

    async def healthz(_request: Request) -> Answer:
        return answered({"status": "ok"})

    async def readyz(_request: Request) -> Answer:
        state = health.health({"office": Check("down", says)}, folder)
        return answered(state, HTTPStatus.SERVICE_UNAVAILABLE)

    async def anything(_request: Request) -> Answer:
        again = {"Retry-After": str(AGAIN_AFTER)}
        return refusal(f"the back office {says}", HTTPStatus.SERVICE_UNAVAILABLE, again)

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/{path:path}", anything, methods=methods),
        ]
    )
