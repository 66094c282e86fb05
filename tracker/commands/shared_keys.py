"""`tracker keys` where machines share a store: the keyring in it is listed, and changed."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from rewriter.keyring import Keyring
from tracker.commands.stored import stored, who
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.shared import keyring as shared
from tracker.shared.keys import Held, SharedKeys
from tracker.store.audit import entry
from tracker.store.signing import Machine, Outdated

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Listed:
    """The shared keyring, and which machines lack which of the keys that wait."""

    keyring: Keyring
    lacking: dict[int, Sequence[Machine]]


def listed(settings: Settings) -> Listed:
    """Return the shared keyring. Raises Mistake, KeyringError."""

    async def look(keys: SharedKeys) -> Listed:
        keyring, machines = (await keys.held()).keyring, await keys.machines()
        now = time.time()
        waiting = shared.waiting(keyring)
        return Listed(keyring, {key: shared.lacking(key, machines, now) for key in waiting})

    return _run(settings, look)


def new(settings: Settings) -> Keyring:
    """Share a new key; return the keyring. Raises Mistake, KeyringError."""

    def grow(keyring: Keyring) -> Keyring:
        return shared.grown(keyring)

    return _run(settings, lambda keys: _changed(keys, grow, "key.new"))


def retire(settings: Settings, key: int) -> None:
    """Retire a key on every machine. Raises Mistake, KeyringError."""
    _run(settings, lambda keys: _changed(keys, lambda keyring: keyring.retire(key), "key.retire"))


def use(settings: Settings, key: int) -> None:
    """Let a key that waits sign from now on. Raises Mistake, KeyringError."""

    def release(keyring: Keyring) -> Keyring:
        if key not in shared.waiting(keyring):
            raise Mistake(f"key {key} isn't one that waits: see 'tracker keys list'", Exit.DATA)
        return shared.released(keyring, [key])

    _run(settings, lambda keys: _changed(keys, release, "key.use"))


def fetch(settings: Settings) -> None:
    """Get the shared keyring for a machine that has none. Raises Mistake, KeyringError."""
    try:
        _run(settings, lambda keys: keys.join(who()))
    except Mistake as mistake:
        raise Mistake(
            f"there is no keyring at {settings.keyring_path} yet, and the shared one can't be"
            f" fetched: {mistake}",
            mistake.status,
        ) from mistake


async def _changed(keys: SharedKeys, change: Callable[[Keyring], Keyring], action: str) -> Keyring:
    """Change the shared keyring, and this machine's with it; return it."""
    held = await keys.held()
    if held.keyring.keys or keys.path.exists():
        await keys.join(who())  # what only this machine has must not be left behind
        held = await keys.held()
    after = change(held.keyring)
    changed = [str(key.id) for key in after.keys if key not in held.keyring.keys]
    changes = [entry(who(), action, key) for key in changed]
    await keys.keep(Held(held.revision, after), *changes)
    return await keys.join(who())


def _run(settings: Settings, work: Callable[[SharedKeys], Awaitable[Result]]) -> Result:
    async def done() -> Result:
        async with _shared(settings) as keys:
            return await work(keys)

    return asyncio.run(done())


@asynccontextmanager
async def _shared(settings: Settings) -> AsyncIterator[SharedKeys]:
    async with stored(settings) as store:
        try:
            yield SharedKeys(store, settings.keyring_path, settings.master_key_path)
        except Outdated as error:
            raise Mistake(str(error), Exit.UNAVAILABLE) from error
