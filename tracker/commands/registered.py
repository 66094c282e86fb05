"""The register of domains as commands use it: what can't be done there is told as a sentence."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from tracker.commands.stored import stored, there
from tracker.domains import BadSetting
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.store.domains import AlreadyRegistered, Domains, InUse, NotRegistered


@asynccontextmanager
async def register(settings: Settings) -> AsyncIterator[Domains]:
    """Open the register that is there, beside a back office or without one. Raises Mistake."""
    async with there(settings) as store:
        yield Domains(store)


@asynccontextmanager
async def register_made(settings: Settings) -> AsyncIterator[Domains]:
    """Open the register, made first if it is missing. Raises Mistake."""
    async with stored(settings) as store:
        yield Domains(store)


@contextmanager
def plainly() -> Iterator[None]:
    """Turn what names, values and the register refuse into a Mistake."""
    try:
        yield
    except BadSetting as error:
        raise Mistake(str(error), Exit.DATA) from error
    except NotRegistered as error:
        raise Mistake(f"{error}: see 'tracker domains list'", Exit.DATA) from error
    except AlreadyRegistered as error:
        raise Mistake(f"{error}: change it by 'tracker domains set'", Exit.DATA) from error
    except InUse as error:
        raise Mistake(
            f"{error}: let them lead elsewhere first, or nowhere, by"
            f" 'tracker domains sending {error.by[0]} --tracking-domain \"\"'",
            Exit.DATA,
        ) from error


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
