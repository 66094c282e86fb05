"""Arrivals: who waits for new events is woken when there are some, or when time is up.

One look-up at a time serves all who wait, however many they are; with nobody waiting there is none.
It looks, rather than being told, since commands and other machines insert events too.
"""

import asyncio
import contextlib
from typing import Final

from tracker.store.database import Store, StoreUnavailable

LOOK_EVERY: Final = 0.2  # seconds
HIGHEST: Final = 1 << 62


class Arrivals:
    """The last sequence number of a store, awaited."""

    def __init__(self, store: Store, look_every: float = LOOK_EVERY) -> None:
        self.closed = asyncio.Event()
        self.streams = 0  # clients that follow without end
        self._store = store
        self._look_every = look_every
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._watching: asyncio.Task[None] | None = None

    async def beyond(self, sequence: int, within: float) -> None:
        """Return once a number behind this one was given out, at the latest `within` seconds.

        Returns at once when closed.
        """
        if self.closed.is_set():
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = sequence
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(within):
                await waiting
        except TimeoutError:
            pass
        finally:
            del self._waiting[waiting]

    def close(self) -> None:
        """Wake everybody, for good: the API is about to end."""
        self.closed.set()
        self._wake(HIGHEST)

    async def _watch(self) -> None:
        while self._waiting:
            # A store that can't answer now has nothing new; whoever asks it next is told why.
            with contextlib.suppress(StoreUnavailable):
                self._wake(await self._store.last())
            await asyncio.sleep(self._look_every)

    def _wake(self, last: int) -> None:
        for waiting, sequence in self._waiting.items():
            if sequence < last and not waiting.done():
                waiting.set_result(None)
