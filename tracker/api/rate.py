"""Rates: how often each key may ask, so that one program's mistake leaves room for the others.

A token bucket a key: it holds BURST seconds' worth of requests and fills at the rate.
"""

import time
from collections.abc import Callable
from typing import Final

BURST: Final = 5.0  # seconds
MOST_KEYS: Final = 10_000


class Rates:
    """The buckets of all keys; a rate of 0 bounds nothing."""

    def __init__(self, a_second: float = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.a_second = a_second
        self._clock = clock
        self._empty_until: dict[str, float] = {}  # by key: when its bucket would be full again

    def take(self, key: str) -> float:
        """Take one request; return 0, or in how many seconds there will be one to take."""
        if not self.a_second:
            return 0.0
        now = self._clock()
        full_at = max(self._empty_until.get(key, 0.0), now) + 1 / self.a_second
        if (over := full_at - now - BURST) > 0:
            return over
        if len(self._empty_until) >= MOST_KEYS:
            self._empty_until = {k: at for k, at in self._empty_until.items() if at > now}
        self._empty_until[key] = full_at
        return 0.0
