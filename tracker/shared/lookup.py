"""Lookup: who is suppressed, from the store, or from this machine's copy while the store is away.

Promise: an answer out of the copy says as of when; before the copy was whole once, there is none.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tracker.shared.copy import Copy, CopyUnavailable
from tracker.store.database import Store, StoreUnavailable
from tracker.store.row import exact
from tracker.store.suppressions import Suppression, Suppressions


@dataclass(frozen=True, slots=True)
class Found:
    """What is suppressed, by address as it is kept; `as_of` is of the copy, in Unix seconds."""

    suppressions: Mapping[str, Suppression]
    as_of: float | None = None


class Lookup:
    """Looks suppressions up. `away` tells that the store needn't be asked: it was just in vain."""

    def __init__(
        self, store: Store, copy: Copy | None = None, away: Callable[[], bool] = lambda: False
    ) -> None:
        self._store = store
        self._copy = copy
        self._away = away

    async def of(self, domain: str, addresses: Sequence[str]) -> Found:
        """Return what is suppressed among some addresses. Raises StoreUnavailable."""
        if self._copy and self._away():
            return await asyncio.to_thread(self._copied, self._copy, domain, addresses, None)
        try:
            return Found(await Suppressions(self._store).of(domain, addresses))
        except StoreUnavailable as error:
            if self._copy is None:
                raise
            return await asyncio.to_thread(self._copied, self._copy, domain, addresses, error)

    def _copied(
        self, copy: Copy, domain: str, addresses: Sequence[str], why: StoreUnavailable | None
    ) -> Found:
        try:
            as_of = copy.current().get("suppressions")
            if as_of is None:
                says = why or "the store is away"
                raise StoreUnavailable(f"{says}; it hasn't been copied to this machine yet")
            return Found(copy.suppressions(domain, [exact(one) for one in addresses]), as_of)
        except CopyUnavailable as error:
            raise StoreUnavailable(str(error)) from error
