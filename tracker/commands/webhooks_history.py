"""`tracker webhooks history` and `redeliver`: what was posted, what was said to it, and again."""

import asyncio
import time
from typing import Annotated

import msgspec
import typer

from tracker.commands.options import AsJson, Config, configured
from tracker.commands.stored import there, who
from tracker.commands.webhooks import Domain, plainly, show, written
from tracker.domains import canonical_name
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.store.webhook_history import MOST, Delivery, History, State
from tracker.store.webhooks import Kind, known_kind


def history(
    domain: Domain,
    *,
    kind: Annotated[str | None, typer.Option(help="Of this kind alone.")] = None,
    state: Annotated[State | None, typer.Option(help="In this state alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many of the last.")] = 20,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show what was posted and is to be, newest first, and what was said to it."""
    with plainly():
        name, only = canonical_name(domain), known_kind(kind) if kind else None
        listed = asyncio.run(_history(configured(config), name, limit, only, state))
    if as_json:
        for one in listed:
            typer.echo(msgspec.json.encode(one).decode())
    elif not listed:
        typer.echo("Nothing was posted yet.")
    else:
        show([_delivered(one) for one in listed])


def redeliver(
    domain: Domain,
    number: Annotated[
        int | None, typer.Argument(metavar="NUMBER", help="The number that `history` shows.")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All that has failed.")] = False,
    config: Config = None,
) -> None:
    """Post again what was posted before; the back office does it within a second."""
    if (number is None) != failed:
        raise Mistake("name one number, or none and --failed", Exit.USAGE)
    with plainly():
        name = canonical_name(domain)
        count = asyncio.run(_redeliver(configured(config), name, number))
    typer.echo(f"{count} to be delivered again")


def _delivered(one: Delivery) -> dict[str, str]:
    return {
        "number": str(one.number),
        "last try": written(one.tried_at),
        "kind": one.kind,
        "event": one.event,
        "url": one.url,
        "state": one.state,
        "tries": str(one.attempt),
        "status": str(one.status or ""),
        "ms": str(one.took or ""),
        "next": written(one.due),
        "said": one.said[:80],
    }


async def _history(
    settings: Settings, domain: str, limit: int, kind: Kind | None, state: State | None
) -> list[Delivery]:
    async with there(settings) as store:
        return await History(store).newest(domain, limit, kind=kind, state=state)


async def _redeliver(settings: Settings, domain: str, number: int | None) -> int:
    now = time.time_ns() // 1_000
    async with there(settings) as store:
        if number is None:
            return await History(store).redeliver_failed(domain, now, who=who())
        await History(store).redeliver(domain, number, now, who=who())
        return 1
