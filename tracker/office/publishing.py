"""Publishing: tells edge workers and rewriters what is registered, as soon as it has changed.

In: the register in the store. Out: `domains.json` in the data folder, and the same snapshot for
whatever in this process asks.

Promise: while the store or the disk fails, what was published last stays, and the failure is in the
log once.
"""

import asyncio
import logging
from pathlib import Path
from typing import Final

from tracker.domains import Snapshot
from tracker.published import publish
from tracker.store.database import StoreUnavailable
from tracker.store.domains import Domains

EVERY: Final = 1.0  # seconds between two looks at the register

logger = logging.getLogger(__name__)


class Publishing:
    """The register as it was published last."""

    def __init__(self, domains: Domains, path: Path) -> None:
        self._domains = domains
        self._path = path
        self._revision = -1
        self._trouble = ""
        self.snapshot = Snapshot()

    def records(self, sending_domain: str, kind: str) -> bool:
        """Tell whether a hit of a kind may become an event. May be asked from any thread."""
        return self.snapshot.records(sending_domain, kind)

    async def refresh(self) -> None:
        """Publish the register if it has changed."""
        try:
            # Asked first: a change in between is then published twice rather than not at all.
            revision = await self._domains.revision()
            if revision == self._revision:
                return
            self.snapshot = await self._domains.snapshot()
            await asyncio.to_thread(publish, self._path, self.snapshot)
        except (StoreUnavailable, OSError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                logger.error("domains_not_published", extra={"why": str(error)})
        else:
            self._revision, self._trouble = revision, ""

    async def run(self) -> None:
        """Go on publishing until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY)
