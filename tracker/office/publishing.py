"""Publishing: tells edge workers and rewriters what is registered, as soon as it has changed.

In: the register in the store. Out: `domains.json` in the data folder, and the same snapshot for
whatever in this process asks.

Promise: while the store or the disk fails, what was published last stays, be it by an office before
this one, and the failure is in the log once.
"""

import asyncio
import logging
import time
from pathlib import Path
from typing import Final

from tracker.published import Published, publish
from tracker.store.database import StoreUnavailable
from tracker.store.domains import Domains

EVERY: Final = 1.0  # seconds between two looks at the register

logger = logging.getLogger(__name__)


class Publishing:
    """The register as it was published last; `as_of` is when it was so, 0 until it was seen."""

    def __init__(self, domains: Domains, path: Path) -> None:
        self._domains = domains
        self._path = path
        self._revision = -1
        self._trouble = ""
        self.as_of = 0.0
        self.snapshot = Published(path).current()

    def records(self, sending_domain: str, kind: str) -> bool:
        """Tell whether a hit of a kind may become an event. May be asked from any thread."""
        return self.snapshot.records(sending_domain, kind)

    async def refresh(self) -> None:
        """Publish the register if it has changed."""
        try:
            began = time.time()
            # Asked first: a change in between is then published twice rather than not at all.
            revision = await self._domains.revision()
            if revision != self._revision:
                self.snapshot = await self._domains.snapshot()
                await asyncio.to_thread(publish, self._path, self.snapshot)
        except (StoreUnavailable, OSError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                logger.error("domains_not_published", extra={"why": str(error)})
        else:
            self._revision, self._trouble, self.as_of = revision, "", began

    async def run(self) -> None:
        """Go on publishing until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY)
