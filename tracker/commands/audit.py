"""`tracker audit`: who changed what, by API or command."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import printable
from tracker.commands.stored import stored
from tracker.settings import Settings
from tracker.store.audit import MOST, Audit, Entry


def audit(
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many of the last.")] = 50,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the changes that were made, newest first."""
    entries = asyncio.run(_newest(configured(config), limit))
    if as_json:
        for entry in entries:
            typer.echo(msgspec.json.encode(entry).decode())
    elif not entries:
        typer.echo("Nothing was changed yet.")
    else:
        table = Table("when", "who", "what", "of", "before", "after")
        for entry in entries:
            table.add_row(*map(printable, _row(entry)))
        Console().print(table)


def _row(entry: Entry) -> tuple[str, ...]:
    at = datetime.fromtimestamp(entry.at / 1e6, UTC).isoformat(sep=" ", timespec="seconds")
    before, after = (
        "" if value == b"null" else bytes(value).decode() for value in (entry.before, entry.after)
    )
    return at, entry.who, entry.action, entry.subject, before, after


async def _newest(settings: Settings, limit: int) -> list[Entry]:
    async with stored(settings) as store:
        return await Audit(store).newest(limit)
