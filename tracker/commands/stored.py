"""The store as commands use it, beside a back office that runs or without one."""

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tracker import folder, roles
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.store import audit
from tracker.store.database import Store, StoreError, StoreUnavailable


@asynccontextmanager
async def stored(settings: Settings) -> AsyncIterator[Store]:
    """Open the store, made first if it is missing. Raises Mistake, for what is done with it too."""
    folder.prepare(settings.data)
    try:
        store = await Store.open(roles.store(settings))
    except StoreError as error:
        status = Exit.UNAVAILABLE if settings.store.url else Exit.DATA
        raise Mistake(str(error), status) from error
    try:
        yield store
    except StoreUnavailable as error:
        raise Mistake(str(error), Exit.UNAVAILABLE) from error
    finally:
        await store.close()


def exists(settings: Settings) -> bool:
    """Tell whether there is a store to be opened; of a server, that can't be told beforehand."""
    return bool(settings.store.url) or (settings.data / roles.STORE).exists()


@asynccontextmanager
async def there(settings: Settings) -> AsyncIterator[Store]:
    """Open the store that is there: of an empty one, nobody would be suppressed. Raises Mistake."""
    if not exists(settings):
        raise Mistake(
            f"there is no {roles.store(settings)}: no back office has run there yet, or 'data' is"
            " another folder",
            Exit.NO_INPUT,
        )
    async with stored(settings) as store:
        yield store


def log_change(
    settings: Settings, action: str, subject: str, *, before: Any = None, after: Any = None
) -> None:
    """Tell the audit log of a change that was made elsewhere than in the store. Raises Mistake."""

    async def add() -> None:
        async with stored(settings) as store:
            entry = audit.entry(who(), action, subject, before=before, after=after)
            await audit.Audit(store).add(entry)

    try:
        asyncio.run(add())
    except Mistake as mistake:
        raise Mistake(f"it is done, but the audit log isn't told: {mistake}", mistake.status) from (
            mistake
        )


def who() -> str:
    """Name the account that a command runs under, for the audit log."""
    try:
        return f"account {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "account unknown"
