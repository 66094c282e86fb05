"""A thread of a sink's own, for calls that a slow disk or pipe can hold up for ever.

In: calls, one at a time. Out: what they return. A call that hangs holds up this sink alone, and not
the threads that all share, nor the end of the process.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

Job = tuple["Future[Any]", Callable[[], Any]]
WAITS_AT_END: Final = 5.0  # seconds for a call that is still under way


class StillBusy(Exception):
    """The call before has not come back yet."""


class OwnThread:
    """Runs calls in their order. It is begun with the first of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last: Future[Any] | None = None

    async def call(self, work: Callable[[], None]) -> None:
        """Run something and wait for it. Raises StillBusy, and whatever it raises.

        Who stops waiting doesn't stop it.
        """
        if self._last is not None and not self._last.done():
            raise StillBusy
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._last = Future()
        self._jobs.put((self._last, work))
        await asyncio.wrap_future(self._last)

    def close(self) -> None:
        """End the thread, once what it does is done, or without it if that takes too long."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(WAITS_AT_END)
            self._thread = None

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is raised where the call is awaited
                future.set_exception(error)
