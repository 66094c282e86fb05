"""`tracker recipients`: one person's data, handed out or erased when they ask for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from tracker.commands.options import Config, Yes, configured
from tracker.commands.stored import there, who
from tracker.forwarding import ledger
from tracker.forwarding.ledger import Ledger, LedgerUnavailable
from tracker.mistake import Exit, Mistake
from tracker.recipients import Erased, Recipients
from tracker.settings import Settings
from tracker.store.row import exact

app = typer.Typer(no_args_is_help=True, help="One recipient's data, handed out or erased.")

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="The recipient's address.", show_default=False)
]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", help="Of this sending domain; repeat for more. Without one: of all."),
]


@app.command()
def export(address: Address, domain: Domains = None, config: Config = None) -> None:
    """Print all events of a recipient, one JSON document a line."""
    asyncio.run(_export(configured(config), _known(address), _domains(domain)))


@app.command()
def erase(
    address: Address,
    domain: Domains = None,
    config: Config = None,
    yes: Yes = False,
) -> None:
    """Remove all events of a recipient, for good; figures, which name nobody, stay.

    Suppressions stay too: they are what keeps mail from being sent to this address again.
    """
    known = _known(address)
    if not yes:
        typer.confirm(f"All events of {known} will be gone. Go on?", abort=True)
    erased = asyncio.run(_erase(configured(config), known, _domains(domain)))
    typer.echo(f"{erased.events} events and {erased.dead_letters} dead letters are erased.")
    typer.echo(
        "What they did until now and is still on its way will not be stored. Not reached: what"
        " sinks other than the store have taken, or take of hits that still wait in the spool,"
        " files that were exported, and backups."
    )


async def _export(settings: Settings, address: str, domains: frozenset[str]) -> None:
    async with _opened(settings) as recipients:
        async for document in recipients.documents(address, domains):
            typer.echo(document.decode())


async def _erase(settings: Settings, address: str, domains: frozenset[str]) -> Erased:
    async with _opened(settings) as recipients:
        return await recipients.erase(address, who(), domains)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Recipients]:
    try:
        async with there(settings) as store:
            with contextlib.closing(Ledger.open(settings.data / ledger.FILE)) as book:
                yield Recipients.open(store, book, settings.keyring_path)
    except LedgerUnavailable as error:
        raise Mistake(str(error), Exit.DATA) from error


def _known(address: str) -> str:
    if "@" not in (known := exact(address)):
        raise Mistake("a recipient is an address, such as ann@example.com", Exit.USAGE)
    return known


def _domains(names: list[str] | None) -> frozenset[str]:
    return frozenset(exact(name) for name in names or ())
