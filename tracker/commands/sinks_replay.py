"""`tracker sinks replay`: bring one sink again what it lost, missed or refused.

The office does it, beside what comes in; the command orders it and shows how far it has come. Who
stops watching doesn't stop it.
"""

import asyncio
import math
import time
from typing import Annotated, Final

import typer

from tracker import health
from tracker.commands.booked import booked, known, running
from tracker.commands.options import Config, configured
from tracker.commands.progress import events_passing
from tracker.commands.sinks import STOPPED, Name
from tracker.commands.stored import log_change, there
from tracker.commands.times import moment
from tracker.forwarding import missed, replays, roll
from tracker.forwarding.dead import DeadLetters
from tracker.forwarding.history import share
from tracker.forwarding.ledger import Ledger
from tracker.forwarding.replays import Replay
from tracker.mistake import Exit, Mistake
from tracker.settings import Settings
from tracker.store.removal import domains

LOOK_EVERY: Final = 0.2  # seconds
SECOND: Final = 1_000_000  # microseconds

Span = tuple[int, int]  # times in microseconds, both included


def replay(
    name: Name,
    *,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Events of the store from then on: 2026-11-20, 2026-11-20T08:00, or 3h.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Up to then; else up to now.")
    ] = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Drop the orders that aren't done.")
    ] = False,
    wait: Annotated[
        bool, typer.Option(help="Watch until it is done; the office goes on without you.")
    ] = True,
    config: Config = None,
) -> None:
    """Bring a sink its dead letters and what it missed, or the events of a time, once more."""
    settings = configured(config)
    _sink_of(settings, name)
    if until is not None and since is None:
        raise Mistake("--until goes with --since: from when on?", Exit.USAGE)
    with booked(settings) as book:
        if cancel:
            typer.echo(f"{health.counted(replays.cancel(book, name), 'replay')} cancelled.")
            return
        if since is None:
            letters, spans = DeadLetters(book).replay(None, name), _missed(book, name)
        else:
            letters, spans = 0, [_span(since, until)]
        if not letters and not spans:
            typer.echo(f"{name} has no dead letters and missed nothing; --since takes a time.")
            return
        orders = [replays.ask(book, name, *span, int(time.time())) for span in spans]
        log_change(settings, "sink.replay", name, after={"letters": letters, "spans": spans})
        typer.echo(_said(letters, len(orders)))
        if not _carried_out(settings, book, name) or not orders or not wait:
            return
        done = _watch(book, orders, asyncio.run(_domains(settings)))
    refused = f"; {done.refused} refused, see the log" if done.refused else ""
    typer.echo(f"{health.counted(done.delivered, 'event')} brought to {name}{refused}.")


def _sink_of(settings: Settings, name: str) -> None:
    urls = {url.name: url for url in settings.sinks}
    if name not in urls:
        raise known(name, urls)
    if urls[name].scheme == "store":
        raise Mistake(
            f"events are replayed out of the store, and {name} is that: name another sink",
            Exit.USAGE,
        )


def _span(since: str, until: str | None) -> Span:
    first = moment(since, "--since")
    last = moment(until, "--until") if until is not None else time.time()
    if last < first:
        raise Mistake("--until is earlier than --since", Exit.USAGE)
    return round(first * SECOND), round(last * SECOND)


def _missed(book: Ledger, name: str) -> list[Span]:
    """Return what was missed and isn't ordered yet."""
    ordered = {(one.first, one.last) for one in replays.open_ones(book, name)}
    found = [(one.first, one.last) for one in missed.ranges(book, name)]
    return [span for span in found if span not in ordered]


def _said(letters: int, orders: int) -> str:
    what = [health.counted(letters, "dead letter")] if letters else []
    if orders:
        what.append(f"{health.counted(orders, 'span')} of time out of the store")
    return f"To be brought again: {' and '.join(what)}."


def _carried_out(settings: Settings, book: Ledger, name: str) -> bool:
    """Tell whether the office is at it; say why where it isn't."""
    if not running(settings):
        typer.echo(STOPPED)
        return False
    if roll.is_paused(book, name):
        typer.echo(f"{name} is paused: it begins once you say 'tracker sinks resume {name}'.")
        return False
    return True


async def _domains(settings: Settings) -> list[str]:
    async with there(settings) as store:
        return [domain async for domain in domains(store)]


def _watch(book: Ledger, orders: list[int], names: list[str]) -> Replay:
    """Show how far the orders are until all are done; return their sum."""
    with events_passing() as show:
        while True:
            found = [one for number in orders if (one := replays.find(book, number))]
            delivered = sum(one.delivered for one in found)
            done = math.fsum(share(one, names) for one in found) + len(orders) - len(found)
            show(done, len(orders), delivered)
            if all(one.ended_at for one in found):
                refused = sum(one.refused for one in found)
                return Replay(0, "", 0, 0, 0, delivered=delivered, refused=refused)
            time.sleep(LOOK_EVERY)
