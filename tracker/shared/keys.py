"""Signing keys, shared: this machine's keyring and the store's brought together.

In: a store, and the files of this machine's keyring and master key. Out: the same keyring in both.

Promise: the keyring's file is only replaced by one that has all of its keys; the master key, the
one secret that a machine must be given, is made where nothing in the store was sealed yet, and
nowhere else.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from certs.vault.master import MasterKey, MasterKeyError, placed
from rewriter.keyring import Keyring, KeyringError
from tracker.shared import keyring as shared
from tracker.store.audit import Entry, entry
from tracker.store.database import Store
from tracker.store.signing import Machine, SealedKeyring, Signing


@dataclass(frozen=True, slots=True)
class Held:
    """The shared keyring as of a revision, which whoever changes it must have seen."""

    revision: int
    keyring: Keyring


class SharedKeys:
    """The keyring that this machine shares. Methods raise StoreUnavailable, KeyringError."""

    def __init__(self, store: Store, path: Path, master_key: Path) -> None:
        """Take the paths of this machine's keyring and master key; neither need be there."""
        self._signing = Signing(store)
        self.path = path
        self._master_key = master_key

    async def held(self) -> Held:
        """Return the shared keyring, which is empty before the first key."""
        kept = await self._signing.keyring()
        return Held(kept.revision, await asyncio.to_thread(self._opened, kept))

    async def keep(self, held: Held, *changes: Entry) -> None:
        """Share a keyring in the place of the one of its revision. Raises Outdated."""
        master = await asyncio.to_thread(self._master, make=True)
        await self._signing.keep(shared.sealed(held.revision, held.keyring, master), changes)

    async def join(self, who: str) -> Keyring:
        """Bring this machine's keyring and the shared one together; return it.

        Raises Outdated where another machine was quicker.
        """
        held = await self.held()
        ours = await asyncio.to_thread(self._ours)
        both = shared.united(held.keyring, ours)
        if not both.keys:
            raise KeyringError(
                f"there is no keyring, neither at {self.path} nor in the store: make one with"
                " 'tracker keys new'"
            )
        if both != held.keyring:
            await self.keep(Held(held.revision, both), *_told(who, held.keyring, both))
        if both != ours:
            await asyncio.to_thread(both.save, self.path)
        return both

    async def release(self, keys: Sequence[int], who: str) -> None:
        """Let keys that wait sign from now on. Raises Outdated."""
        held = await self.held()
        changes = [entry(who, "key.use", str(key)) for key in keys]
        await self.keep(Held(held.revision, shared.released(held.keyring, keys)), *changes)

    async def tell(self, machine: Machine) -> None:
        """Tell the other machines which keys this one has."""
        await self._signing.tell(machine)

    async def machines(self) -> Sequence[Machine]:
        """Return the machines that share the keyring."""
        return await self._signing.machines()

    def _opened(self, kept: SealedKeyring) -> Keyring:
        return shared.opened(kept, self._master()) if kept.keys else shared.EMPTY

    def _ours(self) -> Keyring:
        return Keyring.load(self.path) if self.path.exists() else shared.EMPTY

    def _master(self, *, make: bool = False) -> MasterKey:
        try:
            return (MasterKey.make if make else MasterKey.load)(self._master_key)
        except MasterKeyError as error:
            if placed(self._master_key).exists():
                raise KeyringError(str(error)) from error
            raise KeyringError(
                f"there is no master key {self._master_key}, which opens the shared keyring: copy"
                " it from a machine that has it"
            ) from error


def _told(who: str, before: Keyring, after: Keyring) -> list[Entry]:
    """Say what a machine brought in, without any secret."""
    was = {key.id: key for key in before.keys}
    brought = [key.id for key in after.keys if key.id not in was]
    retired = [key.id for key in after.keys if key.id in was and key.retired != was[key.id].retired]
    return [
        *(entry(who, "key.join", str(key)) for key in brought),
        *(entry(who, "key.retire", str(key)) for key in retired),
    ]
