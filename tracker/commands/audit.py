"""`tracker audit`: who changed what, by API or command."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from tracker.commands.options import AsJson, Config, configured
from tracker.commands.shown import printable
from tracker.commands.stored import there
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
    for entry in () if as_json else entries:
        typer.echo("  ".join(printable(cell) for cell in _line(entry)))


def _line(entry: Entry) -> Iterator[str]:
    yield f"{datetime.fromtimestamp(entry.at / 1e6).astimezone():%Y-%m-%d %H:%M:%S}"
    yield from (entry.who, entry.action, entry.subject)
    for name in ("before", "after"):
        if (value := bytes(getattr(entry, name)).decode()) != "null":
            yield f"{name}: {value}"


async def _newest(settings: Settings, limit: int) -> list[Entry]:
    async with there(settings) as store:
        return await Audit(store).newest(limit)
