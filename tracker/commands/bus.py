"""`tracker bus`: the stream between edges and the store, and what came over it and is no event."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from tracker.bus import dead
from tracker.bus.address import Address
from tracker.bus.connection import BusUnavailable, Connection
from tracker.bus.message import Message
from tracker.bus.publishing import Publisher, TooLarge
from tracker.bus.standing import standing
from tracker.commands.consume import source
from tracker.commands.options import AsJson, Config, Yes, configured
from tracker.commands.shown import cell, listed
from tracker.commands.stored import log_change
from tracker.health import counted
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.sinks.url import SinkUrl

Result = TypeVar("Result")
Numbers = Annotated[
    list[int] | None,
    typer.Argument(metavar="NUMBER", help="Dead letters; without any, all.", show_default=False),
]

app = typer.Typer(no_args_is_help=True, help="The bus between edges and the store.")


@app.command()
def status(config: Config = None, as_json: AsJson = False) -> None:
    """Tell what the stream holds, where its replicas are, and how far the store is."""
    settings = configured(config)
    found = told(source(settings), settings.consume.durable)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        table = Table.grid(padding=(0, 2))
        for name, says in found.items():
            table.add_row(name, cell(says))
        Console(highlight=False, soft_wrap=True).print(table)


def told(url: SinkUrl, follower: str) -> dict[str, str]:
    """Return what the bus tells of a stream and of who follows it. Raises Mistake."""
    return _run(standing(Address.of(url.address, url.options, os.environ), follower))


@app.command("dead")
def dead_(config: Config = None, as_json: AsJson = False) -> None:
    """Show what came over the bus and can't be stored, and why."""
    letters = _run(_letters(configured(config)))
    rows = [
        {
            "number": str(letter.number),
            "died": f"{letter.died[:19]}Z",
            "subject": letter.subject,
            "reason": letter.reason,
            "bytes": str(len(letter.body)),
        }
        for letter in letters
    ]
    listed(rows, as_json=as_json, none="There are no dead letters.")


@app.command()
def replay(numbers: Numbers = None, config: Config = None) -> None:
    """Put dead letters on the bus again, for a consumer that can read them now."""
    settings = configured(config)
    count = _run(_replay(settings, numbers))
    _told(settings, "bus.replay", numbers, count)
    typer.echo(f"{counted(count, 'dead letter')} on the bus again")


@app.command()
def discard(numbers: Numbers = None, config: Config = None, yes: Yes = False) -> None:
    """Drop dead letters for good."""
    settings = configured(config)
    if not yes:
        which = "These" if numbers else "All"
        typer.confirm(f"{which} dead letters will be gone. Go on?", abort=True)
    count = _run(_discard(settings, numbers))
    _told(settings, "bus.discard", numbers, count)
    typer.echo(f"{counted(count, 'dead letter')} discarded")


async def _letters(settings: Settings) -> list[dead.Letter]:
    async with _connected(settings) as (connection, address):
        return [letter async for letter in dead.letters(connection, address.stream)]


async def _replay(settings: Settings, numbers: list[int] | None) -> int:
    async with _connected(settings) as (connection, address):
        publisher = await Publisher.open(connection, address.stream.name)
        count = 0
        async for letter in _chosen(connection, address, numbers):
            # An id of its own: within the window of duplicates the old one would be dropped.
            again = Message(letter.subject, f"dead/{letter.number}", letter.body)
            await publisher.publish([again])
            await dead.drop(connection, address.stream, letter.number)
            count += 1
        return count


async def _discard(settings: Settings, numbers: list[int] | None) -> int:
    async with _connected(settings) as (connection, address):
        count = 0
        async for letter in _chosen(connection, address, numbers):
            await dead.drop(connection, address.stream, letter.number)
            count += 1
        return count


async def _chosen(
    connection: Connection, address: Address, numbers: list[int] | None
) -> AsyncIterator[dead.Letter]:
    found = [letter async for letter in dead.letters(connection, address.stream)]
    if missing := set(numbers or ()) - {letter.number for letter in found}:
        raise Mistake(f"there is no dead letter {min(missing)}: see 'tracker bus dead'", Exit.DATA)
    for letter in found:
        if not numbers or letter.number in numbers:
            yield letter


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[tuple[Connection, Address]]:
    url = source(settings)
    address = Address.of(url.address, url.options, os.environ)
    connection = await Connection.open(address, "tracker bus")
    try:
        yield connection, address
    finally:
        await connection.close()


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    try:
        return asyncio.run(work)
    except (BusUnavailable, TooLarge) as error:
        raise Mistake(str(error), Exit.UNAVAILABLE) from error


def _told(settings: Settings, action: str, numbers: list[int] | None, count: int) -> None:
    if count:
        subject = ", ".join(map(str, numbers)) if numbers else "all"
        log_change(settings, action, subject, after={"letters": count})
