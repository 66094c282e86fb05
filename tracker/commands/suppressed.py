"""`tracker suppressed`: whether somebody is not to be written to, asked before sending.

While a store that machines share is away, this machine's copy answers, and says as of when it is.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Annotated, Final

import typer

from tracker import roles
from tracker.commands.options import Config, configured
from tracker.commands.stored import there
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.shared.copy import FILE, Copy
from tracker.shared.lookup import Lookup
from tracker.shared.told import minute
from tracker.store.database import Store, StoreUnavailable
from tracker.store.row import exact
from tracker.store.suppressions import Suppression

AT_ONCE: Final = 5_000  # addresses
SUPPRESSED: Final = 1  # the exit status that a script asks for


def suppressed(
    address: Annotated[
        str | None,
        typer.Argument(metavar="ADDRESS", help="The recipient's address.", show_default=False),
    ] = None,
    *,
    domain: Annotated[str, typer.Option(help="The sending domain.", show_default=False)],
    tag: Annotated[
        list[str] | None,
        typer.Option(help="A tag of the mail, or list: and a list's name; repeat for more."),
    ] = None,
    filtered: Annotated[
        bool,
        typer.Option(
            "--filter", help="Read addresses, one a line, and print those that may be written to."
        ),
    ] = False,
    config: Config = None,
) -> int:
    """Tell whether mail may be sent to an address: exit status 0 if it may, 1 if it may not."""
    settings, tags = configured(config), [exact(one) for one in tag or ()]
    if filtered and address is None:
        asyncio.run(_filter(settings, exact(domain), tags))
        return Exit.OK
    if address is None or filtered or "@" not in address:
        raise Mistake("name one address, or none and --filter", Exit.USAGE)
    found = asyncio.run(_of(settings, exact(domain), address))
    if found is None or not found.covers(tags):
        typer.echo(f"{exact(address)} may be written to")
        return Exit.OK
    typer.echo(f"{found.address} has unsubscribed: {', '.join(found.tags)}")
    return SUPPRESSED


async def _of(settings: Settings, domain: str, address: str) -> Suppression | None:
    async with _asking(settings) as lookup:
        found = await lookup.of(domain, [address])
    _warn(found.as_of)
    return found.suppressions.get(exact(address))


async def _filter(settings: Settings, domain: str, tags: Sequence[str]) -> None:
    warned = False
    async with _asking(settings) as lookup:
        lines = _lines()
        while some := list(islice(lines, AT_ONCE)):
            found = await lookup.of(domain, some)
            warned = warned or _warn(found.as_of)
            for line in some:
                known = found.suppressions.get(exact(line))
                if known is None or not known.covers(tags):
                    sys.stdout.write(f"{line}\n")


@asynccontextmanager
async def _asking(settings: Settings) -> AsyncIterator[Lookup]:
    """Open the store or, where it is away and shared, the copy. Raises Mistake."""
    if not settings.store.url:
        async with there(settings) as store:
            yield Lookup(store)
        return
    store = Store(roles.store(settings))
    copy = Copy.there(settings.data / FILE, store.name)
    try:
        yield Lookup(store, copy)
    except StoreUnavailable as error:
        raise Mistake(str(error), Exit.UNAVAILABLE) from error
    finally:
        await store.close()
        if copy:
            copy.close()


def _warn(as_of: float | None) -> bool:
    if as_of is None:
        return False
    typer.echo(f"the store is away: this is as of {minute(as_of)}", err=True)
    return True


def _lines() -> Iterator[str]:
    for line in sys.stdin:
        if stripped := line.strip():
            yield stripped
