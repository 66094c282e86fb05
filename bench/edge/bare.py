"""A bare ASGI application: the least that uvicorn can be asked to do. It records nothing."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

PIXEL: Final = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"image/gif"), (b"content-length", b"43")],
}
BODY: Final = {"type": "http.response.body", "body": PIXEL}


async def application(
    _scope: dict[str, Any],
    _receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer every request with the same picture."""
    await send(START)
    await send(BODY)
