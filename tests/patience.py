"""Waiting for what others bring about: for a condition, and never for a time.

What works is waited for as long as it takes, on a machine that is busy too; only what is broken
takes all of PATIENCE.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE = 60  # seconds
LOOK_EVERY = 0.01  # seconds


def wait_for(
    condition: Callable[[], object], what: str = "a condition", patience: float = PATIENCE
) -> None:
    """Return once the condition holds; raise TimeoutError when it doesn't come to."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience} s for {what}")
        time.sleep(LOOK_EVERY)


async def until(
    condition: Callable[[], object | Awaitable[object]], what: str = "a condition"
) -> None:
    """Do the same in a coroutine, for a condition that may be a coroutine function."""
    deadline = time.monotonic() + PATIENCE
    while not await _held(condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE} s for {what}")
        await asyncio.sleep(LOOK_EVERY)


async def ended(task: "asyncio.Task[Any]") -> None:
    """End a task that goes on for ever, and return once it has let go of what it held."""
    task.cancel()
    await asyncio.wait([task])


async def _held(told: object) -> object:
    return await told if inspect.isawaitable(told) else told
