"""What the office shares with other machines: nothing, where the store is this machine's own.

In: the settings and the store. Out: who is suppressed and what API keys open, while the store is
away too; the keyring of all machines, in this machine's file; a check that tells as of when.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

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

    async def close(self) -> None:
        """Close the copy."""
        if self.copy:
            await asyncio.to_thread(self.copy.close)


def machine(data: Path) -> str:
    """Name this machine to the others; several offices on one have folders of their own."""
    return f"{socket.gethostname()}:{data.resolve()}"
