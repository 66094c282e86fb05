"""The store as commands use it, beside a back office that runs or without one."""

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tracker import folder
from tracker.mistake import Exit, Mistake
from tracker.roles import STORE
from tracker.settings import Settings
from tracker.store.database import Store, StoreError, StoreUnavailable


@asynccontextmanager
async def stored(settings: Settings) -> AsyncIterator[Store]:
    """Open the store, made first if it is missing. Raises Mistake, for what is done with it too."""
    folder.prepare(settings.data)
    try:
        store = await Store.open(settings.data / STORE)
    except StoreError as error:
        raise Mistake(str(error), Exit.DATA) from error
    try:
        yield store
    except StoreUnavailable as error:
        raise Mistake(str(error), Exit.UNAVAILABLE) from error
    finally:
        await store.close()


def who() -> str:
    """Name the account that a command runs under, for the audit log."""
    try:
        return f"account {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "account unknown"
