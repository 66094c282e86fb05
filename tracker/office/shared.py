"""What the office shares with other machines: nothing, where the store is this machine's own.

In: the settings and the store. Out: who is suppressed and what API keys open, while the store is
away too; the keyring of all machines, in this machine's file; a check that tells as of when.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tracker.health import Check
from tracker.mistake import Exit, Mistake
from tracker.office import OfficeSettings
from tracker.shared.copy import FILE, Copy, CopyUnavailable
from tracker.shared.keys import SharedKeys
from tracker.shared.lookup import Lookup
from tracker.shared.sharing import Sharing
from tracker.store.database import Store


@dataclass(frozen=True, slots=True)
class Shared:
    """What is shared, for as long as the office runs."""

    lookup: Lookup
    copy: Copy | None = None
    sharing: Sharing | None = None

    @classmethod
    def open(cls, settings: OfficeSettings, store: Store, as_of: Callable[[], float]) -> Self:
        """Open the copy. `as_of` tells when the settings were published last. Raises Mistake."""
        if not settings.shared:
            return cls(Lookup(store))
        data = Path(settings.data)
        try:
            copy = Copy.open(data / FILE, store.name)
            keys = SharedKeys(store, Path(settings.keyring), Path(settings.master_key))
            sharing = Sharing(store, keys, copy, machine(data), settings=as_of)
        except CopyUnavailable as error:
            raise Mistake(str(error), Exit.CANNOT_CREATE) from error
        return cls(Lookup(store, copy, lambda: sharing.away), copy, sharing)

    async def run(self) -> None:
        """Keep what is shared as it is in the store, until cancelled."""
        if self.sharing:
            await self.sharing.run()

    def checks(self) -> Mapping[str, Check]:
        """Tell as of when it is, for `/readyz`."""
        return {"shared": self.sharing.check()} if self.sharing else {}

    def figures(self) -> Sequence[Collector]:
        """Return what there is to count, for `/metrics`."""
        return [Figures(self.sharing)] if self.sharing else []

    async def close(self) -> None:
        """Close the copy."""
        if self.copy:
            await asyncio.to_thread(self.copy.close)


class Figures(Collector):
    """How old this machine's copies are."""

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        ages = GaugeMetricFamily(
            "tracker_shared_age_seconds",
            "How long ago this machine's copy was as the shared store has it.",
            labels=("part",),
        )
        now = time.time()
        for part, at in self._sharing.as_of.items():
            ages.add_metric((part,), max(0.0, now - at))
        yield ages


def machine(data: Path) -> str:
    """Name this machine to the others; several offices on one have folders of their own."""
    return f"{socket.gethostname()}:{data.resolve()}"
